"""What strangers try who have no key, over bytes of their own."""

import pytest

from tests.hostile import wire
from tests.hostile.bytes_of import FOLLOW_UP
from tests.hostile.smuggling import SMUGGLING

pytestmark = pytest.mark.slow

# Where they stand. Directly, a gateway without keys serves its own machine.
DOORS = {
    "nginx, keys in use": ("keyed", True),
    "nginx, no key made": ("keyless", True),
    "direct, keys in use": ("keyed", False),
}
HEALTHY = b'{"status":"ok"}'


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("attempt", SMUGGLING, ids=lambda attempt: attempt.name)
def test_smuggling(loop, outside, attempt, door):
    name, behind_nginx = DOORS[door]
    site = outside.sites[name]
    outside.received()
    logged = len(site.gateway.log())

    async def attack():
        answers = await wire.talk(
            site.port(behind_nginx=behind_nginx),
            attempt.sent + FOLLOW_UP,
            of_head=attempt.sent.startswith(b"HEAD"),
        )
        nothing_got_out(answers)
        expected = attempt.behind_nginx if behind_nginx else attempt.direct
        assert " ".join(str(answer.status) for answer in answers) == expected
        is_last = answers[-1].body != HEALTHY
        if is_last and not behind_nginx and b" HTTP/1.0\r" not in attempt.sent:
            says_that_it_hangs_up(answers[-1])
        assert outside.received() == []
        if site.key:
            await outside.serves_its_own(site)
        assert "Traceback" not in site.gateway.log()[logged:]

    loop.run_until_complete(attack())


def nothing_got_out(answers):
    for answer in answers:
        if answer.status == 200:
            assert answer.body == HEALTHY


def says_that_it_hangs_up(answer):
    """Else a proxy sends the next client's request into a closed connection."""
    framed = {"content-length", "transfer-encoding"} & answer.headers.keys()
    assert not framed or answer.headers.get("connection") == "close"
