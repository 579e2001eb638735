"""What operators are told by webhook, ntfy and mail; off unless a channel is set."""
