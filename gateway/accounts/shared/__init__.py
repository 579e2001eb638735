"""What processes that share a database tell one another of accounts."""
