"""The shape of the code, guarded: imports go one way, files and functions stay small,
every route has a known base and is authenticated unless it is listed here."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.admission.client_address import AccessPolicy
from handlers.admin.base import AdminHandler
from handlers.admin.routes import ADMIN_ROUTES
from handlers.api.stream import StreamHandler
from handlers.base import BaseHandler
from handlers.bodies import BodilessHandler
from handlers.routes import ROUTES, SOCKETS

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("gateway", "handlers", "schemas")
SOURCES = [
    path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if "migrations" not in path.parts
] + [ROOT / "run.py"]
LONGEST_FILE = 300
LONGEST_FUNCTION = 60
MOST_PARAMETERS = 6

# What a package, or a part of one, may import of ours.
MAY_IMPORT = {
    "schemas": ("schemas",),
    "gateway/protocol": ("gateway.protocol",),
    "gateway/errors.py": ("gateway.protocol",),
    "gateway": ("gateway",),
    "handlers": ("gateway", "handlers", "schemas"),
    "run.py": ("gateway", "handlers"),
}
# Answered to anybody: they say nothing of anybody. Everything else needs a key, the
# admin token, or a local client.
OPEN = {
    r"/backend-api/codex(?:/v1)?/analytics-events/events",
    r"/backend-api/wham/accounts/check",
    r"/backend-api/wham/usage",
    r"/backend-api/wham/rate-limit-reset-credits",
    r"/backend-api/wham/settings/user",
    r"/backend-api/ps/plugins/.*",
    r"/backend-api/ps/mcp",
    r"/api/codex/usage",
    r"/health(?:/live)?",
    r"/health/ready",
}
BASES = (BaseHandler, BodilessHandler, StreamHandler, AdminHandler)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""


def rule_of(path: Path) -> tuple[str, ...]:
    name = path.relative_to(ROOT).as_posix()
    prefix = max(
        (one for one in MAY_IMPORT if name == one or name.startswith(one + "/")),
        key=len,
    )
    return MAY_IMPORT[prefix]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_go_one_way(path):
    for module in imports(path):
        package = module.partition(".")[0]
        if package in (*PACKAGES, "run", "tests"):
            allowed = rule_of(path)
            assert any(
                module == one or module.startswith(one + ".") for one in allowed
            ), f"imports {module}"
        if package == "tornado":
            assert path.is_relative_to(ROOT / "handlers"), "no Tornado inside the core"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_files_and_functions_stay_small(path):
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{node.name} has {length} lines"
            arguments = node.args
            named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            counted = [one for one in named if one.arg not in ("self", "cls")]
            assert len(counted) <= MOST_PARAMETERS, f"{node.name} has too many"


@pytest.mark.parametrize("entry", [*SOCKETS, *ROUTES], ids=lambda entry: entry[0])
def test_every_route_has_a_known_base_and_asks_for_a_key_unless_listed(entry):
    path, handler, options = entry
    assert issubclass(handler, BaseHandler)
    if path in OPEN:
        assert options.access is AccessPolicy.SIDE
    else:
        assert options.access in (AccessPolicy.PROXY, AccessPolicy.KEY_REQUIRED)
        assert handler.authenticate is BaseHandler.authenticate


@pytest.mark.parametrize("entry", ADMIN_ROUTES, ids=lambda entry: entry[0])
def test_every_admin_route_asks_for_the_admin_token(entry):
    _, handler, _ = entry
    assert issubclass(handler, AdminHandler)
    assert handler.authenticate is AdminHandler.authenticate


def test_no_listed_route_is_missing_from_the_table():
    assert {path for path, _, _ in ROUTES} >= OPEN


@pytest.mark.parametrize(
    "handler",
    sorted({entry[1] for entry in (*SOCKETS, *ROUTES, *ADMIN_ROUTES)}, key=repr),
    ids=lambda handler: handler.__name__,
)
def test_handlers_do_not_override_how_a_request_comes_in(handler):
    """`prepare` and `authenticate` of the bases are the only doors."""
    doors = {"prepare", "authenticate"}
    for one in handler.mro():
        if doors & vars(one).keys() and not one.__module__.startswith("tornado."):
            assert one in BASES, f"{one.__name__} lets requests in by itself"
