"""The request log: its columns, questions asked of it, its age and its sums."""
