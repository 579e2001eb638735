"""Keys: all, one, made, changed, rotated, removed; and the page of who holds one."""
