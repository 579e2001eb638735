"""Who comes in: the first run, signing in, users."""
