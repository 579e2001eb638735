"""Signing in to the gateway: OAuth for Codex, on devices of persons with a seat.

`gateway.oauth` (`OAuth` in `oauth`) is what pages, endpoints and Access ask. Knows
neither pages nor Tornado.
"""
