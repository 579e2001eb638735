"""The record: tables, their migrations, one writer thread, reads off the loop."""
