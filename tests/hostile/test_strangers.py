"""What strangers try who have no key: none of it reaches anything."""

import pytest

from tests.hostile import wire
from tests.hostile.bytes_of import FOLLOW_UP
from tests.hostile.claims import CLAIMS
from tests.hostile.smuggling import NGINX, SMUGGLING

pytestmark = pytest.mark.hostile

# Where they stand: which gateway, and whether nginx is in between.
DOORS = {
    "nginx, keys in use": ("keyed", True),
    "nginx, no key made": ("keyless", True),
    "direct, keys in use": ("keyed", False),
}
# Here a process of this machine would be served; a page of its browser must not be.
KEYLESS = {"direct, no key made": ("keyless", False)}
HARMLESS = {b'{"status":"ok"}', b'{"plugins":[],"pagination":{}}'}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("attempt", SMUGGLING, ids=lambda attempt: attempt.name)
def test_smuggling(loop, outside, attempt, door):
    async def smuggle():
        await attack(outside, attempt, *DOORS[door])
        if DOORS[door] == ("keyed", True):
            # nginx sends the next client over the same connections.
            await outside.serves_its_own()

    loop.run_until_complete(smuggle())


@pytest.mark.parametrize("door", DOORS | KEYLESS)
@pytest.mark.parametrize("attempt", CLAIMS, ids=lambda attempt: attempt.name)
def test_claims(loop, outside, attempt, door):
    loop.run_until_complete(attack(outside, attempt, *(DOORS | KEYLESS)[door]))


def test_there_are_as_many_attempts_as_names():
    names = [attempt.name for attempt in (*SMUGGLING, *CLAIMS)]
    assert len(set(names)) == len(names) > 180


async def attack(outside, attempt, site_name, behind_nginx):
    site = outside.sites[site_name]
    outside.received()
    logged = len(site.gateway.log())
    sent = attempt.sent.replace(b"LURE", outside.lure.encode())
    answers = await wire.talk(
        site.port(behind_nginx=behind_nginx),
        sent + FOLLOW_UP,
        of_head=sent.startswith(b"HEAD"),
    )
    for answer in answers:
        tells_nothing(answer, is_head=sent.startswith(b"HEAD"))
    if not behind_nginx or outside.nginx_version == NGINX:
        expected = attempt.behind_nginx if behind_nginx else attempt.direct
        assert " ".join(str(answer.status) for answer in answers) == expected
    if answers and not behind_nginx and b" HTTP/1.0\r" not in sent:
        tells_that_it_hangs_up(answers[-1])
    assert outside.received() == []
    assert outside.lured == []
    assert "Traceback" not in site.gateway.log()[logged:]


def tells_nothing(answer, *, is_head=False):
    assert answer.status not in (101, 500, 502, 503, 504)
    if answer.status == 200:
        assert answer.body in HARMLESS or (is_head and answer.body == b"")
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert "x-evil" not in answer.headers


def tells_that_it_hangs_up(answer):
    """Else a proxy sends its next client's request into a closed connection."""
    has_an_end = {"content-length", "transfer-encoding"} & answer.headers.keys()
    assert not has_an_end or answer.headers.get("connection") == "close"
