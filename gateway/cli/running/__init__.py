"""The gateway that a command is for: where it runs, its database, what it took over."""
