"""Logins as an operator brings them, and the key that encrypts what they hold."""
