"""Small changes to the product, one at a time, and whether a test notices each."""
