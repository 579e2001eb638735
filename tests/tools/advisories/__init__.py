"""Known vulnerabilities of what is pinned, as the package index tells them."""
