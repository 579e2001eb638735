"""A whole run with every kind of secret, and then a search for each of them in all
that the gateway has written, printed and told others."""

import base64
import hashlib
import json
import re
import signal
from urllib.parse import quote

import aiohttp
import pytest

from gateway.demo import faults
from gateway.demo.events import ScriptedTurn
from tests.egress_proxy import PASSWORD, EgressProxy
from tests.serving import CODEX, V1, payload, turn_on, until

pytestmark = pytest.mark.operator

PROMPT = "the words of the prompt"
API_KEY = "sk-proj-0123456789-of-the-endpoint-abcdef"
WRONG_KEY = "sk-cgw-0123456789-that-nobody-made-abcdef"
WRONG_TOKEN = "an-admin-token-that-is-not-the-one"
# What Codex sends along when it has a login of its own; no part is like the accounts'.
CLIENTS_OWN = "eyJjbGllbnQi.eyJvd24iOiJsb2dpbiJ9.0123456789-of-the-clients-own"
# Of notifications, none of which is taken.
CHANNELS = {
    "webhook": "hooks-0123456789-that-only-we-know",
    "webhook's secret": "whsec_"
    + base64.b64encode(b"0123456789-of-the-webhooks").decode(),
    "ntfy": "topic-0123456789-that-nobody-guesses",
    "ntfy's token": "tk_0123456789abcdefghijklmnopqrs",
    "mail": "password-0123456789-of-the-mail-server",
}
# Files that are there to hold a secret, by the secret they hold.
PIECE = 20  # characters of a secret that are too many: 15 of a key are shown
ONE = "one@demo.example"
KEEPERS = {"encryption.key": "encryption key", "admin.token": "admin token"}
COMMANDS = (
    "accounts list",
    "accounts list --json",
    "keys list --json",
    "keys show laptop",
    "logs",
    "logs --json",
    "usage",
    "usage --by account --json",
    "config check",
    "notify list --json",
    "strategy",
    "recorder",
    "recorder --json",
)


def forms(secret):
    """What a secret may look like elsewhere, cut off as well.

    base64 begins at any of three bytes.
    """
    raw = secret.encode()
    for start in range(0, max(1, len(raw) - PIECE + 1), PIECE // 2):
        yield raw[start : start + PIECE]
    yield quote(secret, safe="").encode()
    yield raw.hex().encode()
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(b"\0" * shift + raw).rstrip(b"=")
            yield encoded[4 if shift else 0 : -2]  # what its neighbours do not change


def found(secrets, places):
    return [
        f"{name} in {place}"
        for name, secret in secrets.items()
        for place, content in places.items()
        if any(form in content for form in forms(secret))
        and KEEPERS.get(place.rpartition("/")[2]) != name
        and not (name == "the prompt" and place.startswith("turn"))  # its own answer
    ]


class Run:
    """What is secret, and all that was said, while one process served."""

    def __init__(self, process, upstream, session):
        self.process = process
        self.upstream = upstream
        self.session = session
        self.secrets = {"the prompt": PROMPT, "client's own login": CLIENTS_OWN}
        self.secrets |= {"API key": API_KEY, "wrong key": WRONG_KEY}
        self.secrets["wrong admin token"] = WRONG_TOKEN
        self.said = {}

    def note_tokens(self):
        """Those that the accounts have now; they change with every refresh."""
        for account in self.upstream.accounts.values():
            for kind in ("access_token", "refresh_token", "id_token"):
                token = getattr(account, kind)
                self.secrets[f"{kind} of {account.name}, {token[-30:]}"] = token

    async def command(self, *arguments):
        self.said[" ".join(arguments)] = (await self.process.run(*arguments)).encode()

    async def made_key(self, *arguments):
        """A new key: its command alone may print it."""
        output = await self.process.run(*arguments)
        token = re.search(r"sk-cgw-[\w-]+", output)[0]
        self.secrets[f"{arguments} {token[-6:]}"] = token
        return token

    async def ask(self, path, *, method="GET", token=None, **more):
        """One request; the answer's status. Its headers and body are kept."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        headers |= more.pop("headers", {})
        url = self.process.url + path
        async with self.session.request(method, url, headers=headers, **more) as got:
            told = repr(dict(got.headers)).encode() + await got.read()
            what = "turn" if got.status == 200 and method == "POST" else method
            self.said[f"{what} {path} no. {len(self.said)}"] = told
            return got.status

    async def turn(self, key, path=CODEX):
        headers = {"x-api-key": key}
        body = payload(PROMPT)
        return await self.ask(
            path, method="POST", token=CLIENTS_OWN, headers=headers, json=body
        )


async def serve_clients(run, key):
    upstream = run.upstream
    assert await run.turn(key) == 200
    headers = {"x-api-key": key, "authorization": f"Bearer {CLIENTS_OWN}"}
    url = run.process.url + CODEX
    async with run.session.ws_connect(url, headers=headers) as ws:
        told = await turn_on(ws, payload(PROMPT))
        run.said["turn on a socket"] = json.dumps(told).encode()
    # A token that upstream has revoked is refreshed, and the turn goes on.
    upstream.auth.expire("one")
    assert await run.turn(key) == 200
    assert upstream.auth.refreshed == ["one"]
    run.note_tokens()
    # Errors that quote what they were sent, to clients on both surfaces.
    one = upstream.accounts["one"]
    for path in (CODEX, V1):
        text = f"No. Authorization: Bearer {one.access_token}, key {API_KEY}"
        upstream.answer(faults.error_response(400, "invalid_prompt", text))
        assert await run.turn(key, path) == 400


async def lose_a_login(run, key):
    """The last account's login ends, with an answer that quotes its token."""
    gone = run.upstream.accounts["gone"]
    for name in (ONE, "paid", "robot"):
        await run.command("accounts", "pause", name)
    run.upstream.auth.expire("gone")
    text = f"Your refresh token {gone.refresh_token} has already been used"
    refusal = faults.error_response(401, "refresh_token_reused", text)
    run.upstream.answer(refusal, route="refresh", times=None)
    assert await run.turn(key) >= 400
    await run.command("accounts", "list", "--json")
    assert b"reauth_required" in run.said["accounts list --json"]
    await run.command("accounts", "resume", "paid")
    # By default the scripted upstream names the account, and this one by its key.
    events = ScriptedTurn().text("hello").completed().events
    run.upstream.answer(*events, headers={"x-codex-turn-state": "opaque"})
    assert await run.turn(key) == 200
    assert run.upstream.of()[-1].headers["authorization"] == f"Bearer {API_KEY}"
    await run.command("accounts", "resume", ONE)


async def try_wrong_keys(run, key, admin):
    assert await run.turn(WRONG_KEY) == 401
    assert await run.ask(f"/v1/nothing?api_key={key}", token=key) == 404
    assert await run.ask(f"/v1/models/{key}", token=WRONG_KEY) in (401, 404)
    assert await run.ask(V1, method="POST", token=key, data=b'{"' + key.encode()) == 400
    assert await run.ask("/api/accounts", token=WRONG_TOKEN) == 401
    for path in ("accounts", "keys", "logs", "usage", "settings", "openapi.json"):
        assert await run.ask(f"/api/{path}", token=admin) == 200
    bad = {"name": "x", "api_key": API_KEY, "base_url": 1, API_KEY: API_KEY}
    assert await run.ask("/api/accounts", method="POST", token=admin, json=bad) == 400


async def look_around(run, key):
    """Everything an operator may do to see what was going on."""
    folder = run.process.folder / "data"
    run.process.signal(signal.SIGUSR1)  # the loop is blocked: a recording is made
    await until(lambda: list(folder.glob("recordings/*")))
    for line in COMMANDS:
        await run.command(*line.split())
    row = json.loads(run.said["logs --json"].splitlines()[0])
    await run.command("explain", row["request_id"])
    await run.command("explain", row["request_id"], "--json")
    for kind in ("csv", "jsonl"):
        await run.command("export", "--format", kind)
    await run.command("backup", str(folder / "backup.db"))
    with pytest.raises(AssertionError, match="needs a new login") as told:
        await run.command("doctor", "--quick", "--key", key)  # it ends with status 1
    run.said["doctor"] = str(told.value).encode()
    for path in ("/metrics", "/health/ready", "/backend-api/wham/usage"):
        assert await run.ask(path) == 200


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.gen_test(timeout=150)
async def test_no_secret_is_found_where_it_does_not_belong(upstream, start_process):
    proxy = await EgressProxy().start()
    process = await start_process(
        program="tests.faults.blockable",
        EGRESS_PROXY=proxy.url("socks5"),
        NOTIFY_WEBHOOK_URL=f"{upstream.url}/{CHANNELS['webhook']}",
        NOTIFY_WEBHOOK_SECRET=CHANNELS["webhook's secret"],
        NOTIFY_NTFY_URL=f"{upstream.url}/{CHANNELS['ntfy']}",
        NOTIFY_NTFY_TOKEN=CHANNELS["ntfy's token"],
        NOTIFY_MAIL_URL=f"smtp://ada:{CHANNELS['mail']}@127.0.0.1:1",
        NOTIFY_MAIL_FROM="gateway@example.com",
        NOTIFY_MAIL_TO="ada@example.com",
    )
    folder = process.folder / "data"
    async with aiohttp.ClientSession() as session:
        run = Run(process, upstream, session)
        run.secrets |= CHANNELS | {"password of the proxy": PASSWORD}
        robot = upstream.add_account("robot")
        token = run.secrets["access token"] = robot.personal_access_token
        token_file = process.folder / "auth" / "token.json"
        token_file.write_text(json.dumps({"personal_access_token": token}))
        await run.command("accounts", "import", str(token_file), "--name", "robot")
        await run.command("accounts", "probe", "robot", "--model", "gpt-5.5")
        gone = upstream.add_account("gone")
        gone.refresh_token = "rt_0123456789-of-the-account-that-is-gone"
        auth_file = gone.write_auth_file(process.folder / "auth")
        await run.command("accounts", "import", str(auth_file))
        process.env["PAID"] = API_KEY
        add = "accounts add --name paid --api-key-env PAID --base-url"
        await run.command(*add.split(), f"{upstream.url}/v1")
        await run.command("strategy", "fill_first")
        run.note_tokens()
        key = await run.made_key("keys", "create", "--name", "laptop")
        spare = await run.made_key("keys", "create", "--name", "spare")
        rotated = await run.made_key("keys", "rotate", "spare")
        assert rotated != spare
        admin = (await process.run("admin", "token")).split()[-1]
        run.secrets["admin token"] = admin

        await serve_clients(run, key)
        await try_wrong_keys(run, key, admin)
        await lose_a_login(run, key)
        await look_around(run, key)
    run.secrets["encryption key"] = (folder / "encryption.key").read_text().strip()
    running = files(folder)
    process.signal(signal.SIGTERM)
    assert await process.ended() == 0
    run.note_tokens()
    stopped = {f"stopped/{name}": data for name, data in files(folder).items()}
    places = running | stopped | run.said | {"the log": process.log().encode()}

    assert not found(run.secrets, places)
    # What was searched is what there is: names and hashes are where they belong.
    hashed = hashlib.sha256(key.encode()).hexdigest().encode()
    for name in ("stopped/gateway.db", "stopped/backup.db"):
        assert hashed in places[name]
        assert b"one@demo.example" in places[name]
    assert b"compute_too_long" in b"".join(
        content for name, content in places.items() if "recordings/" in name
    )
    assert proxy.targets
    assert b"account.login_ended" in run.said["notify list --json"]
    await proxy.stop()
    # And no account, nor the clients' login, was shown to another's upstream.
    for received in upstream.requests:
        sent = repr(received.raw_headers).encode() + received.text.encode()
        clients = {n: s for n, s in run.secrets.items() if "keys" in n or "login" in n}
        assert not found(clients, {received.path: sent})


@pytest.mark.parametrize(
    "hidden",
    [
        API_KEY,
        API_KEY[:20],
        API_KEY[-24:],
        f"x={quote('a b/' + API_KEY)}",
        base64.b64encode(b"Basic " + API_KEY.encode() + b":").decode(),
        base64.urlsafe_b64encode(b"ab" + API_KEY.encode() + b"/?>").decode(),
        API_KEY.encode().hex(),
    ],
)
def test_the_search_finds_a_secret_in_other_forms(hidden):
    places = {"somewhere": f"before {hidden} after".encode()}
    assert found({"API key": API_KEY}, places) == ["API key in somewhere"]
    assert not found({"API key": API_KEY}, {"somewhere": b"sk-proj-0123"})
