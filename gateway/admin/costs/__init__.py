"""Prices for the operator: which count, what is wrong with them, counting again."""
