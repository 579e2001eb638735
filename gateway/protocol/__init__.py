"""The wire without sockets: bytes and events in, facts out; no clock, no I/O."""
