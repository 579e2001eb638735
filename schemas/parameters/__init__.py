"""Parameters as data: their other spellings, and what a kind of account refuses."""
