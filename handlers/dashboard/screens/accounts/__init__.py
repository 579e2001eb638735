"""The pages of the pool's accounts: seeing them, acting on them, adding one."""
