"""Databases taken elsewhere and brought back, with the gateway stopped."""
