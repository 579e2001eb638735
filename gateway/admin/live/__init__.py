"""What runs at this moment, and how long it can go on."""
