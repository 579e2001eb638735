"""Hostile input: what holds for any bytes, and two that try to refute it.

`properties` says what holds. hypothesis tries it in every run of the tests
(`test_properties.py`), atheris, guided by coverage, every night and by hand:
`python -m tests.tools.fuzz TARGET --seconds 60`. What it finds goes into `seeds.KNOWN`.
"""
