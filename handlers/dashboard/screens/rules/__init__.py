"""What holds for all requests: settings, prices, tools; and who may change which."""
