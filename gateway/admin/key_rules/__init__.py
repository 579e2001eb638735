"""What keys may be held to: described, and put into their rows."""
