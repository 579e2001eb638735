"""Real clients that sign in, and who lets them."""

from tests.e2e.conftest import account, codex, gateway, start_gateway

__all__ = ["account", "codex", "gateway", "start_gateway"]
