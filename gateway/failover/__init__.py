"""What follows a failed attempt, and what the client gets in the end. Pure."""
