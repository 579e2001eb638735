"""What several processes grant each other of their keys' limits."""
