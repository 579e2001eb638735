"""A scripted upstream that ships with the project, for the demo and the tests.

upstream.py serves and records, refusals.py says what a real one refuses, scenarios.py
decides what a request gets, answers.py describes an answer for both transports,
events.py builds its events, content what a format or a tool wants, faults.py breaks
it, playing.py and conversation.py send it, oauth.py logs in.
"""
