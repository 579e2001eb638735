"""What depends on who asks, and on the account that answers."""
