"""Every page as a browser has it, through nginx and TLS: wide and narrow, light and
dark, by keyboard, without scripts."""

import asyncio
import re

import pytest

from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from gateway.sign_in.sessions import end_sessions
from gateway.sign_in.users import Role, User
from handlers.dashboard.navigation import MAIN, MORE, page_links
from tests.dashboard.site import Site, missing_programs
from tests.e2e.conftest import missing
from tests.e2e.nginx import find_nginx
from tests.serving import until

pytestmark = [pytest.mark.dashboard, pytest.mark.timeout(300)]

PAGE_BYTES = 200 * 1024
OWNER = User(id=1, name="ada", role=Role.OWNER, password=None)


PAGES = [link.url for place in (MAIN, MORE) for link in page_links(place, OWNER, "/")]
# Where forms are that no menu leads to.
FORMS = [
    "/dashboard/add-account",
    "/dashboard/accounts/ada/remove",
    "/dashboard/accounts/ada/resets",
]
# Of one thing each, as a list of them leads there.
DETAILS = {
    "/dashboard/requests": r"/dashboard/requests/[\w-]{8,}",
    "/dashboard/conversations": r"/dashboard/conversations/[\w%]+",
    "/dashboard/accounts": r"/dashboard/accounts/\w+",
    "/dashboard/keys": r"/dashboard/keys/(?!new\b)[^/]+",
}


async def visit_all(folder, nginx):
    site = Site(folder, nginx)
    try:
        await site.start()
        found = await site.visit(pages=PAGES)
        links = {one["path"]: one["links"] for one in found if one["kind"] == "look"}
        details = [
            next(filter(re.compile(pattern).fullmatch, links[path]), f"{path}/none")
            for path, pattern in DETAILS.items()
        ]
        found += await site.visit(
            pages=[*details, *FORMS], elsewhere=["/dashboard/"], live=["/dashboard/"]
        )
        found += await site.visit(
            pages=["/dashboard/my"], cookies=[site.holders_cookie]
        )
        found += await site.visit(pages=["/dashboard/sign-in"], cookies=[])
        return found + await follow_a_turn(site)
    finally:
        await site.stop()


async def follow_a_turn(site):
    """Begun and stopped while the live page is open; then its session ends."""
    gateway, views = (
        site.serving.gateway,
        site.serving.server.app.settings["live_views"],
    )
    visiting = asyncio.create_task(site.visit(follow=["/dashboard/live"]))
    await until(lambda: views.watching)
    begun = ScriptedTurn().text("one two three").completed().events[:6]
    site.upstream.answer(ScriptedResponse((*begun, asyncio.Event())))
    answered = await site.serving.ask(headers={"x-api-key": site.key})
    await until(lambda: views.watching)
    await gateway.store.write(end_sessions, 1)
    await gateway.sign_in.load()
    return [{**(await visiting)[0], "last": answered.events[-1]}]


@pytest.fixture(scope="module")
def visits(tmp_path_factory):
    program = missing_programs() or ("" if find_nginx() else "nginx")
    if program:
        missing(f"no {program} on this machine")
    folder = tmp_path_factory.mktemp("site")
    return asyncio.run(visit_all(folder, find_nginx()))


@pytest.fixture
def looks(visits):
    return [one for one in visits if one["kind"] == "look"]


def faults(visits, name):
    """What is not as it should be, by page and width."""
    return {f"{one['path']} {one['width']}": one[name] for one in visits if one[name]}


def test_every_page_is_there(looks):
    assert {one["path"]: one["status"] for one in looks if one["status"] != 200} == {}
    assert all(one["heading"] for one in looks)


def test_no_page_scrolls_sideways(looks):
    assert faults(looks, "overflow") == {}


def test_nothing_goes_wrong_on_the_console(looks):
    assert faults(looks, "console") == {}


def test_no_request_leaves_the_origin(looks):
    assert faults(looks, "foreign") == {}


def test_a_page_loads_less_than_200_kb(looks):
    sizes = {one["path"]: one["bytes"] for one in looks if one["width"] == 1280}
    assert {path: size for path, size in sizes.items() if size > PAGE_BYTES} == {}
    assert min(sizes.values()) > 80_000  # they were counted


def test_the_keyboard_reaches_everything_and_shows_where_it_is(looks):
    assert faults(looks, "missed") == {}
    assert faults(looks, "unseen") == {}


def test_axe_finds_nothing_serious(looks):
    assert faults(looks, "axe") == {}


def test_a_page_is_read_without_scripts(visits):
    plain = {one["path"]: one for one in visits if one["kind"] == "read"}
    for look in visits:
        if look["kind"] == "look":
            read = plain[look["path"]]
            assert read["heading"].strip() == look["heading"]
            assert read["words"] > 5
            assert read["dead"] == 0, look["path"]


def test_a_link_on_another_site_leads_in_and_a_form_there_does_not(visits):
    (crossing,) = [one for one in visits if one["kind"] == "elsewhere"]
    assert crossing["heading"] == "Overview"
    assert crossing["sent"] == 403


def test_scripts_draw_charts_and_renew_what_they_show(visits):
    (live,) = [one for one in visits if one["kind"] == "live"]
    assert live["answered"] == 200
    assert live["charts"] == live["tables"] == live["renewed"] == 2


def test_a_turn_is_followed_and_stopped_by_keyboard(visits):
    (followed,) = [one for one in visits if one["kind"] == "follow"]
    assert followed["focused"] == followed["wanted"]
    assert followed["said"] == []
    error = followed["last"]["response"]["error"]
    assert "stopped by the operator" in error["message"]
