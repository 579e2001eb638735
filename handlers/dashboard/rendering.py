"""Templates, and what all of them may use."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tornado.template import Loader

from handlers.dashboard import components, formats
from handlers.dashboard.static_files import static_url

TEMPLATES = Path(__file__).with_name("templates")


@cache
def _loader() -> Loader:
    """Compiles each template once; values are escaped unless they say `raw`."""
    namespace = {"static_url": static_url}
    for module in (formats, components):
        namespace |= {name: getattr(module, name) for name in module.__all__}
    return Loader(str(TEMPLATES), autoescape="xhtml_escape", namespace=namespace)


def render(template: str, values: Mapping[str, Any]) -> bytes:
    """The page; safe to call on any thread."""
    return _loader().load(template).generate(**values)
