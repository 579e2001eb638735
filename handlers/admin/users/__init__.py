"""/api/people and /api/devices: who has a seat, and what signed in to it."""
