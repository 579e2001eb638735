"""What members ask each other: live turns, the end of one, status, metrics."""

import contextlib
import time

import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from gateway.cluster.signed_call import MemberCall
from gateway.repository.members import Beat, Identity, MemberState, beat, join
from gateway.secret import Secret
from gateway.sign_in.users import Role
from handlers.dashboard.live_views import LiveViews
from handlers.operations.members import MEMBER_ROUTES, MemberHandler
from tests.handlers.dashboard.browsing import signed_in
from tests.serving import next_event

LIVE = "/dashboard/live"
pytestmark = pytest.mark.gen_test(timeout=30)
PATHS = [
    ("GET", "/member/turns"),
    ("GET", "/member/turns/0123456789"),
    ("POST", "/member/turns/0123456789/cut?actor=x"),
    ("GET", "/member/status"),
    ("GET", "/member/metrics"),
]


@pytest.fixture
def twin(serving):
    """Have the gateway know another member, which is itself at its own URL.

    What is signed for the other is refused there; a test may change the number.
    """

    async def made(url=None, directory=None):
        gateway = serving.gateway
        us = gateway.membership
        own = us.rows[us.id]
        number = await gateway.store.transact(
            lambda: join(
                Identity(directory or own.directory, "elsewhere", "1"),
                ends_directory=False,
                ends_all=False,
            )
        )
        told = Beat(1, MemberState.SERVING, 10**9, url or serving.base_url)
        await gateway.store.transact(beat, number, told)
        await us.look()
        return number

    return made


def signed(serving, method, path, receiver=None, token=None, at=None):
    gateway = serving.gateway
    us = gateway.membership.id
    now = int(time.time()) if at is None else at
    call = MemberCall(method, path, 99, receiver or us, now)
    return call.headers(token or gateway.admin.value)


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_only_a_signed_call_to_this_very_member_is_answered(
    serving, method, path
):
    bearer = {"authorization": f"Bearer {serving.gateway.admin.value.reveal()}"}
    for headers in (
        {},
        bearer,
        signed(serving, method, path, receiver=77),
        signed(serving, method, path, token=Secret("another token, as long")),
        signed(serving, method, path, at=1_000_000),
        signed(serving, method, path + "x"),
    ):
        answer = await serving.ask(path, None, method=method, headers=headers)
        assert answer.status == 401
        assert answer.error["code"] == "member_signature_required"
    headers = signed(serving, method, path)
    answer = await serving.ask(path, None, method=method, headers=headers)
    assert answer.status == (404 if "0123" in path else 200)


@pytest.mark.parametrize("entry", MEMBER_ROUTES, ids=lambda entry: entry[0])
def test_every_route_of_members_has_their_door(entry):
    assert entry[1].authenticate is MemberHandler.authenticate


async def test_a_member_that_is_not_reached_is_named(serving, twin):
    number = await twin()
    token = serving.gateway.admin.value.reveal()
    headers = {"authorization": f"Bearer {token}"}
    told = (await serving.get("/api/turns", headers=headers)).json
    assert told == {"turns": [], "unreached": [number]}
    own, other = (await serving.get("/api/members", headers=headers)).json["members"]
    assert (own["turns"], own["sockets"]) == (0, 0)
    assert (other["id"], other["turns"]) == (number, None)
    summed = await serving.get("/metrics/members", headers=headers)
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(summed.body.decode())
        for sample in family.samples
    }
    assert found["codex_gateway_members", "no"] == 1
    cut = await serving.ask(
        "/api/turns/0123456789/cut", None, method="POST", headers=headers
    )
    assert cut.status == 404


TURN = {
    "id": "ab" * 16,
    "age": 5.0,
    "phase": "answering",
    "silence": 0.1,
    "request_bytes": 10,
    "response_bytes": 20,
    "failed_attempts": 0,
    "account": "one",
    "key": None,
    "model": "gpt-5.4",
    "surface": "codex",
    "transport": "http",
    "client": "127.0.0.1",
    "user_agent": "theirs",
}


class OtherMember:
    """A member of one turn, which knows a genuine call from any other."""

    def __init__(self, gateway):
        self._gateway = gateway
        self.number = 0
        self.asked = []

    async def answer(self, request):
        path = request.rel_url.raw_path_qs
        call = MemberCall.read(request.method, path, request.headers)
        token = self._gateway.admin.value
        genuine = call.is_genuine(request.headers, token, self.number, time.time())
        if not genuine:
            return web.Response(status=401)
        self.asked.append((request.method, path))
        if request.path == "/member/turns":
            return web.json_response({"turns": [TURN, {"id": "odd"}], "count": 2})
        if request.path == "/member/status":
            return web.json_response({"turns": 2, "sockets": 7, "waiting": 0})
        if request.path == "/member/metrics":
            return web.Response(text=self._gateway.metrics.text().decode())
        known = request.match_info.get("id") == TURN["id"][:10]
        return web.json_response(TURN) if known else web.Response(status=404)


@contextlib.asynccontextmanager
async def other_member(gateway, twin, directory=None):
    member = OtherMember(gateway)
    app = web.Application()
    for path in ("/member/{what}", "/member/turns/{id}", "/member/turns/{id}/cut"):
        app.router.add_route("*", path, member.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    member.number = await twin(f"http://127.0.0.1:{port}/", directory)
    try:
        yield member
    finally:
        await runner.cleanup()


async def test_turns_of_all_members_are_shown_summed_and_stopped(serving, twin):
    gateway = serving.gateway
    token = gateway.admin.value.reveal()
    headers = {"authorization": f"Bearer {token}", "x-admin-actor": "cli:ada"}
    async with other_member(gateway, twin) as other:
        told = (await serving.get("/api/turns", headers=headers)).json
        assert told == {"turns": [TURN | {"member": other.number}], "unreached": []}
        _, theirs = (await serving.get("/api/members", headers=headers)).json["members"]
        assert (theirs["turns"], theirs["sockets"]) == (2, 7)
        status = (await serving.get("/api/status", headers=headers)).json
        assert [one["sockets"] for one in status["members"]] == [0, 7]
        await serving.ask()
        await serving.rows()
        summed = (await serving.get("/metrics/members", headers=headers)).body.decode()
        assert 'codex_gateway_members{reached="yes"} 2' in summed
        counted = [
            sample.value
            for family in text_string_to_metric_families(summed)
            for sample in family.samples
            if sample.name == "codex_gateway_requests_total"
        ]
        assert counted == [2]  # the same request, told by both
        name = TURN["id"][:10]
        stop = f"/api/turns/{name}/cut"
        cut = await serving.ask(stop, b"", headers=headers)
        assert (cut.status, cut.json["member"]) == (200, other.number)
        expected = f"/member/turns/{name}/cut?actor=cli%3Aada"
        assert other.asked[-1] == ("POST", expected)
        browser = await signed_in(serving, Role.OPERATOR)
        page = await browser.get(LIVE)
        assert f"member {other.number}" in page.text
        assert TURN["id"][:8] in (await browser.get(f"{LIVE}/{name}/cut")).text
        seen = f"member {other.number}".encode()
        serving.server.app.settings["live_views"] = LiveViews(period=0.01)
        async with browser.stream(f"{LIVE}/events") as events:
            while seen not in await next_event(events):
                pass
    await gateway.member_calls.ask("GET", "/member/status")
    unreached = (await serving.get("/api/turns", headers=headers)).json["unreached"]
    assert unreached == [other.number]


async def test_one_on_another_machine_is_not_asked_on_this_ones_loopback(serving, twin):
    gateway = serving.gateway
    async with other_member(gateway, twin, "another-machine-1-2") as other:
        answers = await gateway.member_calls.ask("GET", "/member/status")
        assert answers == [(other.number, None)]
    assert other.asked == []
