"""What clients ask of the authorization server by themselves, without any page."""
