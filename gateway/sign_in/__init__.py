"""Signing in to the dashboard: users, sessions, links. Knows neither pages nor Tornado.

`gateway.sign_in` (`SignIn` in `sign_in`) is what pages ask.
"""
