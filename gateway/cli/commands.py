"""All commands but the two that serve, and where they are: module and name."""

COMMANDS = {
    "accounts": "accounts:accounts",
    "admin": "admin:admin",
    "aliases": "admin:aliases",
    "backup": "export:backup",
    "codex-config": "codex_config:codex_config",
    "config": "doctor:config",
    "doctor": "doctor:doctor",
    "errors": "logs:errors",
    "explain": "logs:explain",
    "export": "export:export",
    "keys": "keys:keys",
    "logs": "logs:logs",
    "recorder": "recorder:recorder",
    "rules": "logs:rules",
    "strategy": "admin:strategy",
    "tools": "admin:tools",
    "usage": "logs:usage",
}
