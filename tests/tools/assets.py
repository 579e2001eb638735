"""What the dashboard ships of others, copied from node_modules; `make assets`.

`package.json` pins it, `package-lock.json` has the hash of what npm installs. Browsers
get these files as they are: nothing is built, and nothing comes from a CDN.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "package-lock.json"
INSTALLED = ROOT / "node_modules"
SHIPPED = ROOT / "handlers" / "dashboard" / "static" / "vendor"
VERSIONS = SHIPPED / "versions.json"
LICENCES = SHIPPED / "LICENCES.txt"


@dataclass(frozen=True)
class Asset:
    """A file of an npm package, and the name it is shipped as."""

    package: str
    path: str
    name: str

    @property
    def source(self) -> Path:
        return INSTALLED / self.package / self.path

    @property
    def target(self) -> Path:
        return SHIPPED / self.name


ASSETS = (
    Asset("htmx.org", "dist/htmx.min.js", "htmx.js"),
    Asset("htmx-ext-sse", "dist/sse.min.js", "htmx-sse.js"),
    Asset("uplot", "dist/uPlot.iife.min.js", "uplot.js"),
    Asset("uplot", "dist/uPlot.min.css", "uplot.css"),
)
PACKAGES = sorted({asset.package for asset in ASSETS})


def integrity(lock: Path) -> dict[str, str]:
    """The hash of each shipped package in a lock file; npm has checked it."""
    packages: dict[str, Any] = json.loads(lock.read_text())["packages"]
    return {name: packages[f"node_modules/{name}"]["integrity"] for name in PACKAGES}


def versions() -> dict[str, dict[str, str]]:
    """Each shipped file with the release it is of."""
    pinned = json.loads((ROOT / "package.json").read_text())["dependencies"]
    return {
        asset.name: {
            "package": asset.package,
            "version": pinned[asset.package],
            "sha256": hashlib.sha256(asset.source.read_bytes()).hexdigest(),
        }
        for asset in ASSETS
    }


def licences() -> str:
    texts = (
        f"{package}\n\n{(INSTALLED / package / 'LICENSE').read_text().strip()}\n"
        for package in PACKAGES
    )
    return f"\n{'-' * 70}\n\n".join(texts)


def copy() -> None:
    """Raises SystemExit when npm has installed something else than is pinned."""
    if integrity(INSTALLED / ".package-lock.json") != integrity(LOCK):
        raise SystemExit("node_modules is not what package-lock.json says: npm ci")
    SHIPPED.mkdir(parents=True, exist_ok=True)
    for asset in ASSETS:
        asset.target.write_bytes(asset.source.read_bytes())
    VERSIONS.write_text(json.dumps(versions(), indent=2) + "\n")
    LICENCES.write_text(licences())


if __name__ == "__main__":
    copy()
