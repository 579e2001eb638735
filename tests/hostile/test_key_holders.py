"""What somebody with a key tries: upstream hears what it always hears, from where it
always hears it, and nobody else is called."""

import json

import pytest

from tests.hostile import wire
from tests.hostile.bytes_of import FOLLOW_UP, length, send, turn
from tests.hostile.injections import INJECTIONS

pytestmark = pytest.mark.hostile

# The targets, whatever the client's: constants, each with its own place upstream.
UPSTREAM = {
    "/backend-api/codex/responses",
    "/backend-api/codex/responses/compact",
    "/backend-api/codex/images/generations",
    "/backend-api/codex/images/edits",
    "/backend-api/codex/alpha/search",
    "/backend-api/transcribe",
}
ADDED = {"host", "authorization", "chatgpt-account-id", "accept-encoding"}
PASSED = {"content-length", "content-type", "session-id", "thread-id", "user-agent"}
PASSED |= {"x-client-request-id"}
ADMIN = ("/api/keys", "/api/accounts", "/api/logs", "/api/settings", "/metrics")


@pytest.fixture(params=[True, False], ids=["nginx", "direct"])
def behind_nginx(request):
    return request.param


@pytest.mark.parametrize("injection", INJECTIONS, ids=lambda one: one.name)
def test_injection(loop, outside, injection, behind_nginx):
    site = outside.sites["keyed"]
    outside.received()
    logged = len(site.gateway.log())

    def lured(text):
        return text.replace("LURE", outside.lure)

    async def inject():
        body = lured(turn(**injection.fields).decode()).encode()
        lines = map(lured, injection.lines)
        request = send(
            f"POST {lured(injection.target)} HTTP/1.1",
            f"X-Api-Key: {site.key}",
            "Content-Type: application/json",
            *lines,
            length(body),
            body=body,
        )
        first, *_ = await wire.talk(
            site.port(behind_nginx=behind_nginx), request + FOLLOW_UP
        )
        assert str(first.status) == injection.statuses
        assert "x-evil" not in first.headers
        assert first.headers.get("x-request-id") != "evil"
        received = outside.received()
        assert len(received) == (1 if first.status == 200 else 0)
        for one in received:
            hears_the_usual(one, outside)
        assert outside.lured == []
        assert "Traceback" not in site.gateway.log()[logged:]

    loop.run_until_complete(inject())


def hears_the_usual(received, outside):
    assert received.path in UPSTREAM
    assert received.query == ""
    account = outside.account
    headers = received.headers
    assert headers["host"] == outside.upstream.url.removeprefix("http://")
    assert headers["authorization"] == f"Bearer {account.access_token}"
    assert headers["chatgpt-account-id"] == account.account_id
    assert headers["accept-encoding"] == "identity"
    names = [name.lower() for name, _ in received.raw_headers]
    assert len(set(names)) == len(names)
    codex = {name for name in names if name.startswith("x-codex-")}
    assert set(names) <= ADDED | PASSED | codex
    for name in set(names) - codex - {"x-client-request-id"}:
        assert "evil" not in headers[name]


@pytest.mark.parametrize("path", ADMIN)
def test_a_key_opens_nothing_of_the_owner_s(loop, outside, path, behind_nginx):
    site = outside.sites["keyed"]
    for line in ("Authorization: Bearer ", "X-Api-Key: ", "X-Admin-Token: "):
        request = send(f"GET {path} HTTP/1.1", line + site.key)
        answers = loop.run_until_complete(
            wire.talk(site.port(behind_nginx=behind_nginx), request + FOLLOW_UP)
        )
        assert [answer.status for answer in answers] == [401, 200]
        assert json.loads(answers[0].body)["error"]["code"] == "admin_token_required"
