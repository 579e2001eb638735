"""Pages that the gateway's owner reads and acts on, rendered by this process."""
