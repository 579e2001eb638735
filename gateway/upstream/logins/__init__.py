"""Logins as they come in: files of Codex, the device flow."""
