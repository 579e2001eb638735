"""What is asked of upstream regularly, for each account."""

# Between two looks at which accounts are due.
TICK_SECONDS = 1.0
