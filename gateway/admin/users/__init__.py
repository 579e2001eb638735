"""Users of the dashboard, as owners change them."""
