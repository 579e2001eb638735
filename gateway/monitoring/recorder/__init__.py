"""The flight recorder: what the process did in the minute before its loop was blocked.

It holds ids, numbers and lines of code: no text, header or secret of anybody.
"""
