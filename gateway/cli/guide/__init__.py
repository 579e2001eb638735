"""What commands tell of themselves: help, examples, mistakes, completion."""
