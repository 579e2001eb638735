"""All commands but the two that serve, and where they are: module and name."""

COMMANDS = {
    "accounts": "accounts:accounts",
    "admin": "administration:admin",
    "backup": "copies:backup",
    "codex-config": "codex_config:codex_config",
    "doctor": "doctor:doctor",
    "explain": "logs:explain",
    "export": "copies:export",
    "keys": "keys:keys",
    "logs": "logs:logs",
    "recorder": "recorder:recorder",
    "strategy": "administration:strategy",
    "usage": "logs:usage",
}
