"""Makes the shipped price list of kept-up sources; a release's step, by hand."""
