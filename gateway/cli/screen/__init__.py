"""What people see of an answer that has columns."""
