"""`--url` reaches a gateway elsewhere, with its admin token."""

import asyncio
import itertools

import pytest

from gateway.repository.members import Identity, end, join
from tests.devices import add_device
from tests.serving import V1, payload

pytestmark = pytest.mark.gen_test(timeout=30)


async def test_a_gateway_elsewhere_is_read_and_changed(serving, shell, tmp_path):
    away = {
        "GATEWAY_DATA_DIR": str(tmp_path / "laptop"),
        "GATEWAY_ADMIN_TOKEN": shell.token,
    }
    at = ("--url", shell.url + "/")
    made = await shell.good("keys", "create", "--name", "bob", *at, **away)
    headers = {"authorization": f"Bearer {made.out.strip()}"}
    assert (await serving.ask(V1, payload(), headers=headers)).status == 200
    listed = await shell.good("accounts", "list", *at, "--json", **away)
    assert [row["name"] for row in listed.rows] == ["one", "two"]
    await shell.good("keys", "disable", "bob", *at, **away)
    assert (await serving.ask(V1, payload(), headers=headers)).status == 401
    added = ("--name", "paid", "--api-key-env", "PAID", "--base-url", "https://x/v1")
    await shell.good("accounts", "add", *added, *at, **away, PAID="fake")
    assert serving.account("paid") is not None
    assert not (tmp_path / "laptop").exists()


async def test_a_change_that_not_all_members_take_over_ends_the_command_so(
    serving, shell, monkeypatch
):
    store, membership = serving.gateway.store, serving.gateway.membership
    other = Identity("elsewhere", "elsewhere (process 1)", "1")
    number = await store.transact(
        lambda: join(other, ends_directory=False, ends_all=False)
    )
    seconds = itertools.count(step=3)
    monkeypatch.setattr(membership, "_clock", lambda: next(seconds))
    made = await shell("keys", "create", "--name", "bob")
    assert made.status == 1
    assert [key.name for key in serving.gateway.ring] == ["bob"]
    assert f"not taken over within 5 s by member {number}: " in made.err
    listed = await shell.good("members", "--json")
    assert [row["is_behind"] for row in listed.rows] == [False, True]
    assert "elsewhere (process 1)  " in (await shell.good("members")).out
    warned = (await serving.get("/health/ready")).json["warnings"]
    assert str(number) in warned["members"]
    await store.transact(end, number)
    await shell.good("keys", "disable", "bob")
    assert membership.is_alone
    assert (await serving.get("/health/ready")).json["warnings"] == {}


async def test_people_of_a_gateway_elsewhere_are_invited_and_ended(
    serving, shell, tmp_path
):
    away = {
        "GATEWAY_DATA_DIR": str(tmp_path / "laptop"),
        "GATEWAY_ADMIN_TOKEN": shell.token,
    }

    async def given(*words):
        return await shell.good(*words, "--url", shell.url, **away)

    asked = ("people", "invite", "ada", "--limit", "cost 50/30d")
    link = (await given(*asked, "--limit", "requests 9/1h")).out.strip()
    assert link.startswith(f"{shell.url}/dashboard/link#")
    assert "invited" in (await given("people", "list")).out
    device = await add_device(serving)
    (row,) = (await given("devices", "list", "--person", "ada", "--json")).rows
    assert (row["name"], row["seat"]) == ("laptop", "ada")
    assert "laptop" in (await given("people", "show", "ada")).out
    bearer = {"authorization": f"Bearer {device.access.reveal()}"}
    assert (await serving.ask(headers=bearer)).status == 200
    (request,) = await serving.rows()
    told = await given("explain", request["request_id"])
    assert f"laptop, number {device.device_id}" in told.out
    await given("devices", "sign-out", str(device.device_id), "--now")
    assert serving.gateway.oauth.device(device.device_id).end_reason == "ended"
    await given("people", "disable", "ada")
    assert serving.gateway.sign_in.user_named("ada").disabled
    await given("people", "enable", "ada")
    await given("people", "remove", "ada")
    assert not (await given("people", "list", "--json")).out
    assert not (tmp_path / "laptop").exists()


async def test_what_needs_the_database_says_so(shell):
    env = {"GATEWAY_ADMIN_TOKEN": shell.token}
    done = await shell("logs", "--follow", "--url", shell.url, **env)
    assert (done.status, "needs the database itself" in done.err) == (2, True)
    assert (await shell("logs", "--url", shell.url, **env)).status == 0


@pytest.mark.parametrize(
    ("url", "token", "said"),
    [
        ("{here}", None, "GATEWAY_ADMIN_TOKEN is not set"),
        ("{here}", "wrong", "refuses the admin token of GATEWAY_ADMIN_TOKEN"),
        ("{here}", "wr\u00f6ng", "characters that no token has"),
        ("http://127.0.0.1:1", "t", "does not answer: "),
        ("http://gateway.example", "t", "read the admin token on its way"),
        ("http://127.0.0.1.example:80", "t", "read the admin token on its way"),
        ("ftp://127.0.0.1", "t", "--url is https://"),
        ("http://me@127.0.0.1", "t", "--url is https://"),
        ("127.0.0.1:2455", "t", "--url is https://"),
        ("http://[::1", "t", "--url is https://"),
        ("{upstream}", "t", "that is no gateway's admin API"),
    ],
)
async def test_what_is_wrong_is_one_clear_line(shell, upstream, url, token, said):
    url = url.format(here=shell.url, upstream=upstream.url)
    done = await shell("keys", "list", "--url", url, GATEWAY_ADMIN_TOKEN=token)
    assert done.status in (1, 2)
    assert said in done.err
    assert shell.token not in done.err
    assert done.out == ""


async def test_the_token_is_not_taken_to_where_an_answer_leads(shell):
    async def redirect(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        where = f"location: {shell.url}/api/keys\r\ncontent-length: 0\r\n"
        writer.write(f"HTTP/1.1 302 Found\r\n{where}\r\n".encode())
        writer.close()

    async with await asyncio.start_server(redirect, "127.0.0.1", 0) as started:
        port = started.sockets[0].getsockname()[1]
        url = ("--url", f"http://127.0.0.1:{port}")
        done = await shell("keys", "list", *url, GATEWAY_ADMIN_TOKEN=shell.token)
    assert (done.status, "answered with status 302" in done.err) == (1, True)


OK = b"HTTP/1.1 200 OK\r\n"
BROKEN = "breaks off, or is no HTTP server"
UNKNOWN = "whether the change was made is not known"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", f"{BROKEN}; {UNKNOWN}"),
        (OK + b"content-length: 9\r\n\r\n{}", f"{BROKEN}; {UNKNOWN}"),
        (b"HTTP/1.1 403 No\r\ncontent-length: 9\r\n\r\n{}", BROKEN),
        (OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n", BROKEN),
        (OK + b"x: " + b"y" * 70_000 + b"\r\n\r\n", BROKEN),
        (OK + b"\r\n" + b"[" * 100_000, "without the JSON of one"),
        (b"HTTP/1.1 500 No\r\n\r\n" + b"[" * 100_000, "with status 500"),
        (b"", UNKNOWN),
    ],
)
async def test_what_answers_oddly_is_one_clear_line(shell, answer, said):
    async def reply(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"POST" in head
        await reader.readuntil(b"}")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(reply, "127.0.0.1", 0) as started:
        url = f"http://127.0.0.1:{started.sockets[0].getsockname()[1]}"
        done = await shell(
            "keys", "create", "bob", "--url", url, GATEWAY_ADMIN_TOKEN="t"
        )
    assert (done.status, done.out) == (1, "")
    assert said in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("turns", b'{"turns": [{"id": 7}]}'),
        ("turns", b'{"turns": 7}'),
        ("turns", b"{}"),
        ("status", b'{"at": "x", "limits": 1}'),
        ("accounts list", b'{"accounts": [7]}'),
        ("usage", b'{"rows": [[]]}'),
    ],
)
async def test_fields_of_other_types_are_one_clear_line(shell, answer, command):
    async def reply(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"\r\n" + answer)
        writer.close()

    async with await asyncio.start_server(reply, "127.0.0.1", 0) as started:
        port = started.sockets[0].getsockname()[1]
        url = ("--url", f"http://127.0.0.1:{port}")
        done = await shell(*command.split(), *url, GATEWAY_ADMIN_TOKEN=shell.token)
    assert (done.status, done.err.count("\n")) == (1, 1)
    assert "release" in done.err
