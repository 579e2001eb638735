"""What the processes that share a database do for each other, or together."""
