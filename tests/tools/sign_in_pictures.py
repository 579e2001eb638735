"""Pictures of signing in with Codex for docs/sign-in.md; `make screenshots`.

Of a new gateway, and of pages as their people reach them.
"""

import asyncio
import base64
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

from gateway.demo.upstream import ScriptedUpstream
from gateway.oauth.tokens import sign_in_device
from gateway.sign_in import links
from gateway.store.models import ApiKeyRow
from tests.dashboard.secure_site import SecureSite
from tests.dashboard.site import ROOT, missing_programs
from tests.devices import LAPTOP
from tests.e2e.nginx import find_nginx
from tests.sign_in.people import People

PICTURES = ROOT / "docs" / "sign-in"
MOST_BYTES = 500_000  # of all: they are shipped with the documents
NAME = "gateway.example.com"
BROWSER = replace(
    LAPTOP,
    user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
)
ELSEWHERE = replace(
    LAPTOP,
    address="198.51.100.24",
    network="198.51.100.24",
    user_agent="",  # Codex says none there
)
LINK = {
    "response_type": "code",
    "client_id": "codex",
    "redirect_uri": "http://127.0.0.1:41833/callback",
    "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    "code_challenge_method": "S256",
    "state": "one",
}


async def take(folder: Path) -> int:
    """Take all pictures; their bytes."""
    upstream = ScriptedUpstream()
    await upstream.start()
    site = SecureSite(folder, upstream, NAME)
    people = People(site)
    try:
        await site.start()
        await people.start()
        taken = await follow(site, people)
    finally:
        await people.stop()
        await site.stop()
        await upstream.stop()
    PICTURES.mkdir(exist_ok=True)
    for name, schemes in taken.items():
        for scheme, data in schemes.items():
            file = PICTURES / f"{name}-{scheme}.webp"
            file.write_bytes(base64.b64decode(data))
    return sum(path.stat().st_size for path in PICTURES.glob("*.webp"))


async def follow(site, people):
    """All there is to see, in its order."""
    taken, origin = {}, site.origin
    store, ada, owner = site.serving.gateway.store, people("ada"), people("grace")
    await site.serving.add_account("team")
    token = await store.write(links.make_link, links.NOBODY, time.time())
    await owner.become_owner(links.link_url(origin, 0, token))
    await owner.open(f"{origin}/dashboard/people/invite")
    await owner.fill(Name="ada", **{"Limit 1: amount": "2M"})
    taken["invite"] = await owner.picture(760)
    await owner.press("Give a seat and a link")
    link = await owner.code("/dashboard/link#")
    await ada.open(link, "A password for ada")
    taken["invited"] = await ada.picture()
    await ada.accept(link)
    taken["set-up"] = await ada.picture(760)
    await ada.open(f"{origin}/oauth/authorize?{urlencode(LINK)}")
    await ada.fill(Name_of_the_device="laptop")
    taken["consent"] = await ada.picture()
    form = {"client_id": "codex"}
    begin = site.serving.gateway.oauth_endpoints.begin_device
    _, code = await begin(form, ELSEWHERE)
    await ada.open(f"{origin}/device")
    await ada.fill(Code=code)
    taken["code"] = await ada.picture()
    await ada.press("Go on")
    await ada.fill(Name_of_the_device="build server")
    taken["elsewhere"] = await ada.picture()

    def make():
        seat, now = ApiKeyRow.get(ApiKeyRow.name == "ada"), time.time()
        sign_in_device(seat, "laptop", "browser", BROWSER, now - 90_000)
        sign_in_device(seat, "build server", "device", ELSEWHERE, now - 600)

    await store.write(make)
    await site.serving.gateway.reload()
    await owner.open(f"{origin}/dashboard/devices")
    taken["devices"] = await owner.picture()
    return taken


def main() -> int:
    program = missing_programs() or ("" if find_nginx() else "nginx")
    if program:
        print(f"no {program} on this machine", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        size = asyncio.run(take(Path(folder)))
    print(f"{size:,} bytes in {PICTURES.relative_to(ROOT)}")
    return int(size > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
