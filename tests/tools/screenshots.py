"""Pictures of the dashboard for the documents; `make screenshots`.

They are of a gateway with fourteen days of use that nobody had, in a real Chromium.
"""

import asyncio
import base64
import shutil
import sys
import tempfile
from pathlib import Path

from tests.dashboard.site import ROOT, Site, missing_programs
from tests.e2e.nginx import find_nginx

PICTURES = ROOT / "docs" / "dashboard"
MOST_BYTES = 1_000_000  # of all: they are shipped with the documents
SCHEMES = ("light", "dark")
# By the name of the file; None: a request that used much.
PAGES = {
    "live": "/dashboard/live",  # first: what runs ends
    "overview": "/dashboard/",
    "requests": "/dashboard/requests",
    "request": None,
    "conversations": "/dashboard/conversations",
    "usage": "/dashboard/usage?period=month",
    "accounts": "/dashboard/accounts",
    "keys": "/dashboard/keys",
}
# With its charts.
HEIGHTS = {"overview": 1200}


async def take(folder: Path, nginx: str) -> int:
    """Take all pictures; their bytes."""
    site = Site(folder, nginx)
    try:
        await site.start()
        request_id = await site.large_request()
        paths = {
            name: path or f"/dashboard/requests/{request_id}"
            for name, path in PAGES.items()
        }
        wanted = [
            (path, scheme, f"{name}-{scheme}.webp", HEIGHTS.get(name, 900))
            for name, path in paths.items()
            for scheme in SCHEMES
        ]
        # That this machine was busy is of no interest.
        shutil.rmtree(folder / "recordings", ignore_errors=True)
        async with site.running():
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
