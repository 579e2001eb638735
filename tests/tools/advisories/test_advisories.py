"""Against an index of our own, over a real socket."""

import pytest
from aiohttp import web

from tests.e2e.gateway_process import free_port
from tests.tools.advisories.advisories import ask, json_url, pins, report

COMPILED = """\
# by hand
aiohttp==3.14.5 \\
    --hash=sha256:00
    # via -r requirements.in
Psycopg[binary]==3.3.1 ; sys_platform == 'linux' \\
    --hash=sha256:01
"""
FOUND = {
    "id": "PYSEC-1",
    "aliases": ["CVE-2026-1"],
    "summary": "It leaks.",
    "fixed_in": ["2.0"],
    "withdrawn": None,
}
WITHDRAWN = {**FOUND, "id": "PYSEC-2", "withdrawn": "2026-01-01T00:00:00Z"}


def test_pins_are_read_with_their_extras_and_markers():
    assert pins(COMPILED) == {("aiohttp", "3.14.5"), ("psycopg", "3.3.1")}


@pytest.mark.parametrize("end", ["/simple", "/simple/", "", "/"])
def test_the_json_stands_beside_the_simple_pages(end):
    for base in ("https://index.example", "https://mirror.example/python"):
        expected = f"{base}/pypi/tornado/6.6.1/json"
        assert json_url(base + end, ("tornado", "6.6.1")) == expected


ANSWERS = {
    "well": {"vulnerabilities": []},
    "mended": {"vulnerabilities": [WITHDRAWN]},
    "leaky": {"vulnerabilities": [FOUND, WITHDRAWN]},
    "silent": {"info": {}},
    "list": [],
}


@pytest.fixture
def index(io_loop):
    async def answer(request):
        name = request.match_info["name"]
        if name == "page":
            return web.Response(text="<html>", content_type="text/html")
        if name not in ANSWERS:
            raise web.HTTPNotFound
        return web.json_response(ANSWERS[name])

    app = web.Application()
    app.router.add_get("/pypi/{name}/1.0/json", answer)
    runner = web.AppRunner(app)
    io_loop.run_sync(runner.setup)
    io_loop.run_sync(web.TCPSite(runner, "127.0.0.1", 0).start)
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/simple"
    io_loop.run_sync(runner.cleanup)


@pytest.mark.parametrize(
    ("names", "status", "words"),
    [
        (["well", "mended"], 0, "2 of 2 pinned"),
        (["well", "leaky"], 1, "leaky==1.0: PYSEC-1, CVE-2026-1: 'It leaks.'"),
        (["leaky", "gone"], 1, "gone==1.0 (status 404)"),
        (["well", "gone"], 2, "1 of 2 pinned"),
        (["page"], 2, "NOT ASKED"),
        (["silent"], 2, "NOT ASKED"),
        (["list"], 2, "NOT ASKED"),
    ],
)
@pytest.mark.gen_test
async def test_what_is_known_and_what_could_not_be_asked(index, names, status, words):
    told, found = report(index, await ask(index, [(name, "1.0") for name in names]))
    assert found == status
    assert words in told
    assert ("NOT ASKED" in told) is any(
        name in told for name in ("gone", "page", "silent", "list")
    )
    assert "PYSEC-2" not in told


@pytest.mark.gen_test
async def test_an_index_that_nobody_reaches_is_no_pass():
    nowhere = f"http://127.0.0.1:{free_port()}/simple"
    told, status = report(nowhere, await ask(nowhere, [("tornado", "6.6.1")]))
    assert status == 2
    assert "NOT ASKED, thus not known to be well: tornado==6.6.1" in told
