"""The page at /: what strangers and who sits at this machine read there."""

import sys
from html.parser import HTMLParser

import pytest

from gateway.accounts.health import AccountStatus
from gateway.doctor.first_steps import first_steps, program_here
from gateway.settings import Settings
from tests.handlers.dashboard.browsing import Browser

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
STRANGERS = [
    {"host": "gateway.example.com"},
    {"x-forwarded-for": "127.0.0.1"},
    {"forwarded": "for=127.0.0.1", "host": "localhost"},
    {"via": "1.1 proxy", "host": "127.0.0.1"},
]


class Elements(HTMLParser):
    """The elements of a page, and their attributes."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs


@pytest.mark.accounts
@pytest.mark.gen_test
async def test_it_says_here_what_is_missing_and_how_to_go_on(serving):
    told = (await serving.get("/")).body.decode().splitlines()
    assert told[0] == "Codex Gateway"
    assert told[1:3] == [
        "  accounts  none",
        "  keys      none made: this machine only",
    ]
    assert "accounts login` adds an account" in told[3]


@pytest.mark.gen_test
async def test_it_says_here_what_there_is(serving):
    await serving.add_key()
    await serving.pause("one")
    told = (await serving.get("/")).body.decode()
    assert "1 paused" in told
    assert "1 active" in told
    assert "keys      1\n" in told
    assert "codex-config` prints" in told
    await serving.pause("two")
    assert "accounts resume NAME`" in (await serving.get("/")).body.decode()


@pytest.mark.gen_test
async def test_a_client_with_a_wrong_base_url_is_told_the_right_one(serving):
    answered = await serving.ask("/", {})
    assert answered.status == 404
    assert answered.error["message"].endswith("/v1")


@pytest.mark.parametrize("headers", STRANGERS)
@pytest.mark.parametrize("accept", [{}, BROWSER])
@pytest.mark.gen_test
async def test_strangers_learn_the_name_only(serving, headers, accept):
    answered = await serving.get("/", headers=headers | accept)
    assert answered.status == 200
    text = answered.body.decode()
    assert "Codex Gateway" in text
    for word in ("account", "key", "run.py", "next", "active"):
        assert word not in text


@pytest.mark.gen_test
async def test_a_browser_here_is_led_to_the_dashboard(serving):
    page = await Browser(serving).get("/")
    assert (page.status, page.headers["location"]) == (302, "/dashboard/")


@pytest.mark.settings(dashboard="off")
@pytest.mark.parametrize("headers", [{}, *STRANGERS[:1]])
@pytest.mark.gen_test
async def test_a_browser_gets_a_page_that_can_do_nothing(serving, headers):
    answered = await serving.get("/", headers=headers | BROWSER)
    assert answered.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(
        part.strip().split(" ", 1)
        for part in answered.headers["content-security-policy"].split(";")
    )
    assert set(policy) >= {"default-src", "base-uri", "form-action", "frame-ancestors"}
    assert set(policy.values()) == {"'none'"}
    assert answered.headers["vary"] == "Accept"
    assert answered.headers["cache-control"] == "no-store"
    page = Elements(answered.body.decode())
    assert set(page.tags) <= {"html", "meta", "title", "pre"}
    assert not {"src", "href", "style"} & {name for name, _ in page.attributes}


@pytest.mark.parametrize(
    ("states", "keys", "host", "word"),
    [
        ([], None, "127.0.0.1", "accounts login` adds"),
        ([], 2, "0.0.0.0", "accounts login` adds"),
        (["reauth_required", "token_ended"], 1, "::1", "needs a new login"),
        (["paused", "reauth_required"], 1, "::1", "accounts resume"),
        (["active", "paused"], None, "0.0.0.0", "keys create"),
        (["cooling", "limited"], None, "127.0.0.1", "codex-config"),
        (["active"], 0, "0.0.0.0", "codex-config"),
    ],
)
def test_the_next_step_is_the_first_that_is_missing(
    monkeypatch, states, keys, host, word
):
    monkeypatch.setenv("GATEWAY_HOST", host)
    assert set(states) <= set(AccountStatus)
    settings = Settings.from_env("/nonexistent")
    assert word in first_steps(settings, states, keys)["next"]


@pytest.mark.parametrize(
    ("python", "program", "shown"),
    [
        (".venv/bin/python", "run.py", ".venv/bin/python run.py"),
        ("/usr/bin/python3", "a folder/run.py", "/usr/bin/python3 'a folder/run.py'"),
        ("/usr/bin/python3", "/srv/pytest", "run.py"),
    ],
)
def test_the_command_is_one_that_can_be_typed_here(
    monkeypatch, tmp_path, python, program, shown
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / python))
    monkeypatch.setattr(sys, "argv", [str(tmp_path / program)])
    assert program_here() == shown
