"""Whatever is sent to any route: an answer as documented, never a fault of ours."""

import gzip
import logging
from urllib.parse import quote_from_bytes

import pytest
import zstandard
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tornado.web import RequestHandler
from yarl import URL

from gateway.process.admin_token import admin_token
from handlers.admin.routes import ADMIN_ROUTES
from handlers.routes import ROUTES, SOCKETS
from tests.serving import TERMINAL, turn_on
from tests.tools.fuzz.properties import START
from tests.tools.fuzz.source import NAMES, ODDITIES, Source, any_bytes

# What fills the gaps of the tables' patterns.
GAPS = {r"(?:/v1)?": "", r"(?:/live)?": "", r"/([^/]+)": "/one", ".*": "export"}
METHODS = ("get", "post", "put", "patch", "delete")
TYPES = ("application/json", "", "multipart/form-data; boundary=x", "text/plain")
QUERIES = (
    *("before", "limit", "since", "by", "key", "account", "model", "status"),
    *("client_version", "events", "plain"),
)
HEADERS = (
    *("x-codex-turn-state", "session-id", "chatgpt-account-id", "x-request-id"),
    *("user-agent", "x-forwarded-for", "x-openai-a", "if-none-match", "accept"),
)
ENCODINGS = {"": bytes, "gzip": gzip.compress, "zstd": zstandard.compress, "br": bytes}
# What requests of the admin API have.
ADMIN_NAMES = (
    *("name", "base_url", "api_key", "priority", "concurrency", "websockets", "auth"),
    *("model", "models", "accounts", "enforce_model", "enforce_effort", "rpm"),
    *("enforce_tier", "expires", "disabled", "limits", "strategy", "tokens", "x"),
    *("access_token", "refresh_token", "account_id", "last_refresh"),
)
ADMIN_START = (
    '"name":"one"',
    '"auth":{"tokens":{"access_token":"a","refresh_token":"r","account_id":"i"}}',
    '"strategy":"fill_first"',
    '"base_url":"http://127.0.0.1:1","api_key":"k","name":"two"',
    '"limits":["tokens 1/7d"],"name":"k"',
    '"a":1',
)


def examples(number):
    """Few, new ones in every run; what they find goes into a test of its own."""
    return settings(
        max_examples=number,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def filled(pattern):
    for gap, text in GAPS.items():
        pattern = pattern.replace(gap, text)
    return pattern


def methods_of(handler):
    """A handler has the methods that are not Tornado's own refusal."""
    return [
        name
        for name in METHODS
        if getattr(handler, name) is not getattr(RequestHandler, name)
    ]


def targets(table):
    return [
        (method, filled(pattern))
        for pattern, handler, _ in table
        for method in methods_of(handler)
    ]


def names_for(path):
    return ADMIN_NAMES if path.startswith("/api/") else NAMES


def request_of(source, path):
    """The arguments of a request, whatever the route expects."""
    query = "&".join(
        f"{source.pick(QUERIES)}={quote_from_bytes(value_of(source))}"
        for _ in range(source.byte() % 3)
    )
    headers = {
        source.pick(HEADERS): source.take(8).decode("latin-1").translate(_PRINTABLE)
        for _ in range(source.byte() % 3)
    }
    encoding = source.pick((*ENCODINGS, "", "", ""))
    if encoding:
        headers["content-encoding"] = encoding
    headers["content-type"] = source.pick(TYPES)
    body = ENCODINGS[encoding](body_of(source, path))
    return query, headers, body


def value_of(source):
    """One of a query."""
    if source.byte() % 2:
        return source.pick((*ODDITIES, "99999999999h", "9999-12-31")).encode()
    return source.take(source.byte() % 12)


# A client library refuses to send others; bare sockets are tried elsewhere.
_PRINTABLE = {code: "x" for code in (*range(32), 127)}


def body_of(source, path):
    start = source.pick(ADMIN_START) if path.startswith("/api/") else START
    if "chat" in path:
        start += ',"messages":[{"role":"user","content":"a"}]'
    if "mcp" in path:
        start = f'"method":"{source.pick(("initialize", "ping", "x"))}"'
        start += f',"id":{source.json()},"params":{{"protocolVersion":{source.json()}}}'
    match source.byte() % 4:
        case 0:
            return source.rest()
        case 1:
            return source.json().encode("utf-8", "surrogatepass")
        case _:
            return source.with_fields(start).encode("utf-8", "surrogatepass")


def check(status, body):
    """Success, or the envelope that docs/errors.md describes."""
    assert status != 500, body
    if status >= 400:
        error = body["error"]
        assert isinstance(error["message"], str)
        assert error["message"]
        assert "type" in error
        # Upstream's own refusal passes as it is, and not each has a code.
        assert "code" in error or "origin" not in error
        assert len(error["message"]) < 1000


@pytest.fixture
def no_faults(caplog):
    """Nothing was logged that has a traceback."""
    yield
    faults = [one for one in caplog.get_records("call") if one.exc_info]
    assert not faults, caplog.text


@pytest.mark.parametrize(
    "table",
    # The operator's requests make keys, after which every client needs one.
    [ROUTES, ADMIN_ROUTES],
    ids=["clients", "operator"],
)
def test_any_request_is_answered(serving, io_loop, no_faults, table):
    token = admin_token(serving.settings.data_dir).reveal()

    async def ask(method, path, data):
        query, headers, body = request_of(Source(data, names_for(path)), path)
        if path.startswith(("/api/", "/metrics")):
            headers["x-admin-token"] = token
        url = URL(f"{path}?{query}" if query else path, encoded=True)
        answer = await serving.ask(url, body, method=method.upper(), headers=headers)
        if answer.status >= 400:
            check(answer.status, answer.json)

    @examples(600)
    @given(st.sampled_from(targets(table)), any_bytes)
    def asked(target, data):
        io_loop.run_sync(lambda: ask(*target, data))

    asked()


@pytest.mark.parametrize("path", [filled(pattern) for pattern, _, _ in SOCKETS])
def test_any_frame_is_answered_and_the_socket_lives_on(
    serving, io_loop, no_faults, path
):
    async def ask(data):
        source = Source(data)
        async with serving.socket(path) as ws:
            text = '{"type":"response.create",' + source.with_fields(START)[1:]
            if source.byte() % 4 == 0:
                text = source.json()
            await ws.send_str(text.encode("utf-8", "replace").decode())
            told = {"type": ""}
            while told["type"] not in TERMINAL:
                told = await ws.receive_json(timeout=30)
            if told["type"] == "error":
                check(told["status"], told)
            assert (await turn_on(ws))[-1]["type"] == "response.completed"

    @examples(100)
    @given(any_bytes)
    def asked(data):
        io_loop.run_sync(lambda: ask(data))

    asked()


def test_a_fault_would_be_seen(no_faults, caplog):
    """The fixture above looks where Tornado writes."""
    logging.getLogger("tornado.application").error("x")
    assert caplog.records
