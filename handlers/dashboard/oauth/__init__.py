"""Pages on which a person lets Codex sign in."""
