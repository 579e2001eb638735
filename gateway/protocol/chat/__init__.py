"""The events of a response as the completion that a chat client expects."""
