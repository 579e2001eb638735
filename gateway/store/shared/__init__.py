"""What processes that share one database write down for each other."""
