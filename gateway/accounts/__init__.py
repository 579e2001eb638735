"""The account pool: states, choice, affinity, and what is polled about accounts."""
