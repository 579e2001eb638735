"""The admin API: the operator's changes over HTTP, always with the admin token."""
