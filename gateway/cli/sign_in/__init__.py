"""Commands about persons, and the devices on which they signed in with Codex."""
