"""Event streams: who gets one, how many, and what ends it."""

import asyncio
import re
from contextlib import AsyncExitStack

import pytest

from gateway.sign_in.sessions import end_sessions
from gateway.sign_in.users import Role
from gateway.store.users.tables import SessionRow, UserRow
from handlers.dashboard.event_stream import event
from handlers.dashboard.live_views import MOST_OF_USER, LiveViews
from tests.handlers.dashboard.browsing import LOCAL, SlowReader, signed_in
from tests.serving import PATIENCE, next_event, until

pytestmark = pytest.mark.gen_test(timeout=30)

EVENTS = "/dashboard/live/events"
VIEW = ("age", True)  # as an operator sees it


@pytest.fixture
def views(serving):
    """The gateway's, which look at what changes more often than once a second."""
    settings = serving.server.app.settings
    settings["live_views"] = LiveViews(period=0.01)
    return settings["live_views"]


async def rest(response):
    return await asyncio.wait_for(response.content.read(), PATIENCE)


def test_a_text_is_one_event_whatever_its_line_ends():
    told = event("now", b"a\nb\rdata: c\r\n\nevent: d\n")
    lines = [b"a", b"b", b"data: c", b"", b"event: d"]
    assert told == b"event: now\n" + b"".join(b"data: %b\n" % n for n in lines) + b"\n"


async def test_what_changes_is_an_event(serving, views):
    browser = await signed_in(serving)
    async with browser.stream(EVENTS) as events:
        assert events.status == 200
        assert events.headers["content-type"].startswith("text/event-stream")
        assert events.headers["x-accel-buffering"] == "no"
        assert "no-store" in events.headers["cache-control"]
        assert events.headers["connection"] == "close"
        assert await next_event(events) == b"retry: 1000\n\n"
        first = await next_event(events)
        assert first.startswith(b"event: now\ndata: ")
        assert b"No client has a socket open" in first
        async with serving.socket():
            assert b"Open for" in await next_event(events)
    await until(lambda: not len(views))  # nobody watches, so nothing is rendered


async def test_what_does_not_change_is_told_to_be_alive(serving, views):
    views.quiet = 0.0
    browser = await signed_in(serving)
    async with browser.stream(EVENTS) as events:
        told = [await next_event(events) for _ in range(4)]
    assert told[1].startswith(b"event: now\n")
    assert told[2:] == [b":\n\n", b":\n\n"]


async def test_only_who_is_signed_in_gets_one(serving, views):
    refused = await serving.get(EVENTS, headers=LOCAL, allow_redirects=False)
    assert refused.status == 401
    browser = await signed_in(serving, Role.VIEWER)
    refused = await browser.get(EVENTS, sec_fetch_site="cross-site")
    assert refused.status == 403
    async with browser.stream(f"{EVENTS}?sort=luck") as refused:
        assert refused.status == 400
    async with browser.stream(EVENTS) as events:
        assert events.status == 200
    assert (await browser.post(EVENTS, on="/dashboard/live")).status == 405


async def test_a_user_has_a_few_at_once(serving, views):
    browser, other = await signed_in(serving), await signed_in(serving, name="bob")
    async with AsyncExitStack() as stack:
        for _ in range(MOST_OF_USER):
            events = await stack.enter_async_context(browser.stream(EVENTS))
            assert events.status == 200
        async with browser.stream(EVENTS) as refused:
            assert refused.status == 429
        async with other.stream(EVENTS) as events:
            assert events.status == 200
        assert len(views) == 1
    await until(lambda: not len(views))
    async with browser.stream(EVENTS) as events:
        assert events.status == 200


def signed_out(user):
    end_sessions(user.id)


def demoted(user):
    UserRow.update(role=Role.VIEWER).where(UserRow.id == user.id).execute()


def disabled(user):
    UserRow.update(is_disabled=True).where(UserRow.id == user.id).execute()


def expired(user):
    SessionRow.update(expires_at=1).where(SessionRow.user_id == user.id).execute()


@pytest.mark.parametrize("change", [signed_out, demoted, disabled, expired])
async def test_it_ends_with_its_session_and_its_role(serving, views, change):
    browser = await signed_in(serving, name="ada")
    sign_in = serving.gateway.sign_in
    async with browser.stream(EVENTS) as events:
        await next_event(events)
        await serving.gateway.store.write(change, sign_in.user_named("ada"))
        await sign_in.load()
        told = await rest(events)
        assert b"event: ended\ndata: " in told
        assert told.endswith(b"\n\n")


async def test_it_ends_when_the_gateway_drains_and_keeps_it_from_nothing(
    serving, views
):
    browser = await signed_in(serving)
    async with browser.stream(EVENTS) as events:
        await next_event(events)
        await asyncio.wait_for(serving.server.drain(20, is_succeeded=True), 10)
        told = await rest(events)
        assert b"event: ended" not in told  # the browser comes back by itself


# More than any kernel holds for one connection.
LARGE = b"x" * 8_000_000


async def test_a_slow_reader_is_not_waited_for_and_gets_the_newest(serving, views):
    taken = 0

    def take():
        nonlocal taken
        taken += 1
        text = b"%d %b" % (taken, LARGE)
        return lambda: event("now", text)

    browser = await signed_in(serving)
    with views.watch(1_000, VIEW, take):
        async with SlowReader(serving, browser.head(EVENTS)) as reader:
            await until(lambda: taken > 8)
            seen, tail = set(), b""
            while len(seen) < 2:
                read = await reader.read()
                assert read
                found = re.findall(rb"data: (\d+) x", tail + read)
                seen |= set(map(int, found))
                tail = (tail + read)[-40:]
            assert max(seen) > min(seen) + 5


@pytest.mark.parametrize("is_draining", [False, True])
async def test_a_slow_reader_cannot_stay_beyond_the_end(serving, views, is_draining):
    browser = await signed_in(serving, name="ada")
    sign_in = serving.gateway.sign_in
    with views.watch(1_000, VIEW, lambda: lambda: LARGE):
        async with SlowReader(serving, browser.head(EVENTS)) as reader:
            first = await reader.read()
            assert first.startswith(b"HTTP/1.1 200")
            size = len(first)
            if is_draining:
                drain = serving.server.drain(20, is_succeeded=True)
                await asyncio.wait_for(drain, 10)
            else:
                whose = sign_in.user_named("ada").id
                await serving.gateway.store.write(end_sessions, whose)
                await sign_in.load()
                await until(lambda: views.watching == 1)
            while read := await reader.read():
                size += len(read)
            assert size < len(LARGE)
