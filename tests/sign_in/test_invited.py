"""The real Codex CLI signs in by itself: from an invitation to a turn, and its end."""

import json

import pytest

from tests.sign_in.signing import MODEL, ONCE, invited_to, sign_in

pytestmark = [pytest.mark.sign_in, pytest.mark.gen_test(timeout=60)]


@pytest.mark.parametrize(
    "newest", [pytest.param(False, marks=pytest.mark.nightly), True]
)
async def test_from_an_invitation_to_a_turn(gateway, codex, newest):
    cli = codex(newest=newest)
    async with invited_to(gateway) as ada:
        home = ("--codex-home", str(cli.home))
        await gateway.run("codex-config", "--sign-in", "--write", *home)
        assert await sign_in(cli, ada)
        # The second run needs no sign-in.
        assert (await cli.exec("once more", *MODEL)).returncode == 0
        device = json.loads(await gateway.run("devices", "list", "--json"))
        assert (device["name"], device["seat"]) == ("laptop", "ada")
        await gateway.run("devices", "sign-out", str(device["id"]), "--now")
        ended = await cli.exec("and now?", *MODEL, *ONCE)
    assert ended.returncode != 0
    assert "gateway_oauth.json" in ended.stderr
