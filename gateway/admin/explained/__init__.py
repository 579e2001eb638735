"""What happened to a request and what it cost, for the command line and the pages."""
