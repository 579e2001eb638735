"""What keeps clients from working: looked for from the client's side, and at home."""
