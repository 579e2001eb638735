"""Reads for pages: apart from all other reads, and never for long."""
