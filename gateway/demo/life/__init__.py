"""Somebody who uses the demo: named keys, their turns of past days and of now."""
