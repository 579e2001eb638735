"""What only PostgreSQL has: servers, and URLs that name several."""
