"""The log of requests, the audit and the notices, a page of rows at a time."""
