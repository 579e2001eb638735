"""All commands but the two that serve, and where they are: module and name."""

COMMANDS = {
    "accounts": "accounts:accounts",
    "admin": "admin:admin",
    "aliases": "admin:aliases",
    "backup": "upkeep.export:backup",
    "codex-config": "codex_config:codex_config",
    "completion": "guide.completion:completion",
    "config": "doctor:config",
    "doctor": "doctor:doctor",
    "errors": "reports.logs:errors",
    "explain": "reports.logs:explain",
    "export": "upkeep.export:export",
    "help": "guide.topics:topics",
    "keys": "keys:keys",
    "logs": "reports.logs:logs",
    "recorder": "recorder:recorder",
    "rules": "reports.logs:rules",
    "strategy": "admin:strategy",
    "tools": "admin:tools",
    "turns": "reports.turns:turns",
    "usage": "reports.usage:usage",
}
