"""Pictures of the dashboard for the documents; `make screenshots`.

They are of a gateway with fourteen days of use that nobody had, in a real Chromium.
"""

import asyncio
import base64
import sys
import tempfile
from pathlib import Path

from tests.dashboard.site import ROOT, Site, missing_programs
from tests.e2e.nginx import find_nginx

PICTURES = ROOT / "docs" / "dashboard"
MOST_BYTES = 1_000_000  # of all: they are shipped with the documents
SCHEMES = ("light", "dark")
# By the name of the file; None: of the first thing that the page before it lists.
PAGES = {
    "overview": "/dashboard/",
    "live": "/dashboard/live",
    "requests": "/dashboard/requests",
    "request": None,
    "conversations": "/dashboard/conversations",
    "usage": "/dashboard/usage",
    "accounts": "/dashboard/accounts",
    "keys": "/dashboard/keys",
}


async def take(folder: Path, nginx: str) -> int:
    """Take all pictures; their bytes."""
    site = Site(folder, nginx)
    try:
        await site.start()
        request_id = await site.latest_request()
        paths = {
            name: path or f"/dashboard/requests/{request_id}"
            for name, path in PAGES.items()
        }
        wanted = [
            (path, scheme, f"{name}-{scheme}.webp")
            for name, path in paths.items()
            for scheme in SCHEMES
        ]
        pictures = await site.visit(pictures=wanted)
    finally:
        await site.stop()
    PICTURES.mkdir(exist_ok=True)
    for one in pictures:
        (PICTURES / one["file"]).write_bytes(base64.b64decode(one["data"]))
    return sum(path.stat().st_size for path in PICTURES.glob("*.webp"))


def main() -> int:
    nginx = find_nginx()
    program = missing_programs() or ("" if nginx else "nginx")
    if program or nginx is None:
        print(f"no {program} on this machine", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        size = asyncio.run(take(Path(folder), nginx))
    print(f"{size:,} bytes in {PICTURES.relative_to(ROOT)}")
    return int(size > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
