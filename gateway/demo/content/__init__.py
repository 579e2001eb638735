"""What scripted answers are made of, where the request says what it wants."""
