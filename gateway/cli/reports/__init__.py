"""Commands that read the record: what happened, to whom, at what cost."""
