"""Commands that take the record elsewhere, and keep what is stored in order."""
