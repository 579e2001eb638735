"""The shipped nginx configuration in front of several processes.

Which of them a request goes to is the file's alone to say: they only tell their names.
"""

import asyncio
import re

import aiohttp
import pytest

from tests.e2e.nginx import SHIPPED, SHIPPED_FOR_MANY, Nginx

pytestmark = pytest.mark.slow

CODEX = "/backend-api/codex/responses"
KEYS = [f"sk-cgw-{number:043}" for number in range(24)]
SEAT = "cgat-" + "seat" * 2


class Member:
    """Answers every request with its name; `paths` are those it was asked for."""

    def __init__(self, name):
        self.name = name
        self.paths = []
        self.refuses = False  # closes a connection that has brought a request

    async def start(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        self.paths.append(head.split()[1].decode())
        if not self.refuses:
            answer = (
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n"
            )
            writer.write(answer + self.name.encode())
        writer.close()

    async def stop(self):
        self._server.close()
        await self._server.wait_closed()


class Site:
    """nginx before two members."""

    async def start(self, binary, folder):
        self.members = {name: Member(name) for name in "ab"}
        for one in self.members.values():
            await one.start()
        ports = [one.port for one in self.members.values()]
        self.nginx = Nginx(binary, folder, ports)
        await self.nginx.start()
        return self

    async def who_answers(self, path=CODEX, method="POST", address=None, **headers):
        """The member's name, or the status of nginx's own answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connector = aiohttp.TCPConnector(local_addr=(address or "127.0.0.1", 0))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(
                method, self.nginx.url + path, data=b"{}", headers=named
            ) as response,
        ):
            text = await response.text()
        return text if response.status == 200 else response.status

    async def by_key(self):
        return [await self.who_answers(x_api_key=key) for key in KEYS]

    async def stop(self):
        await self.nginx.stop()
        for one in self.members.values():
            await one.stop()


@pytest.fixture
def site(io_loop, nginx_binary, tmp_path):
    made = Site()
    io_loop.run_sync(lambda: made.start(nginx_binary, tmp_path / "nginx"))
    yield made
    io_loop.run_sync(made.stop)


@pytest.mark.gen_test
async def test_a_key_goes_to_one_process_however_it_is_presented(site):
    first = await site.by_key()
    assert set(first) == {"a", "b"}
    assert await site.by_key() == first
    for key, member in zip(KEYS, first, strict=True):
        for header in (f"Bearer {key}", f"bearer  {key}"):
            others = {"session_id": header, "address": "127.0.0.9"}
            assert await site.who_answers(authorization=header, **others) == member
        # A ChatGPT login's own token says nothing beside a key.
        login = {"authorization": f"Bearer {key[::-1]}"}
        assert await site.who_answers(x_api_key=key, **login) == member


@pytest.mark.gen_test
async def test_devices_of_a_seat_meet_one_process_whatever_their_tokens(site):
    for seat in ("cgat-" + "a" * 8, "cgat-" + "b" * 8, SEAT):
        tokens = [seat + letter * 43 for letter in "xyzuvw"]
        bearers = [await site.who_answers(authorization=f"Bearer {t}") for t in tokens]
        keys = [await site.who_answers(x_api_key=token) for token in tokens]
        assert len({*bearers, *keys}) == 1
    seats = [f"cgat-{number:08}" for number in range(24)]
    found = {await site.who_answers(authorization=f"Bearer {one}") for one in seats}
    assert found == {"a", "b"}


@pytest.mark.gen_test
async def test_without_a_key_the_conversation_decides_and_else_the_address(site):
    conversations = [
        await site.who_answers(session_id=f"s{n}", authorization="Basic eDp5")
        for n in range(24)
    ]
    assert set(conversations) == {"a", "b"}
    elsewhere = [
        await site.who_answers(session_id=f"s{n}", address="127.0.0.7")
        for n in range(24)
    ]
    assert elsewhere == conversations
    addresses = [f"127.0.0.{n}" for n in range(2, 26)]
    first = [await site.who_answers(address=one) for one in addresses]
    assert set(first) == {"a", "b"}
    assert [await site.who_answers(address=one) for one in addresses] == first


@pytest.mark.parametrize(
    "path", ["/dashboard/sign-in", "/oauth/token", "/oauth/device"]
)
@pytest.mark.gen_test
async def test_nobody_chooses_the_process_that_counts_its_guesses(site, path):
    answers = {
        await site.who_answers(
            path, x_api_key=key, authorization=f"Bearer {key}", session_id=key
        )
        for key in KEYS
    }
    assert len(answers) == 1


@pytest.mark.gen_test
async def test_a_key_larger_than_one_process_is_spread_by_conversation(site):
    file = site.nginx.folder / "gateway.conf"
    shipped = file.read_text()
    named = shipped.replace('# "~^sk-cgw-AbCdEf"', '"~^sk-cgw-large"')
    assert named != shipped
    file.write_text(named)
    await site.nginx.stop()
    await site.nginx.start()

    async def conversations(key):
        names = [f"s{number % 24}" for number in range(48)]
        asked = [await site.who_answers(x_api_key=key, session_id=n) for n in names]
        assert asked[:24] == asked[24:]
        return set(asked)

    assert await conversations("sk-cgw-large-and-more") == {"a", "b"}
    assert len(await conversations("sk-cgw-of-somebody-else")) == 1


@pytest.mark.gen_test
async def test_where_a_process_is_gone_only_its_keys_go_elsewhere(site):
    first = await site.by_key()
    await site.members["a"].stop()
    assert await site.by_key() == ["b"] * len(KEYS)
    asked = len(site.members["b"].paths)
    await site.members["b"].stop()
    assert await site.who_answers(x_api_key=KEYS[0]) == 502
    assert (len(first), asked) == (len(KEYS), len(KEYS) + first.count("b"))


@pytest.mark.parametrize(("method", "answer"), [("POST", 502), ("GET", "b")])
@pytest.mark.gen_test
async def test_only_what_changes_nothing_is_sent_to_a_second_process(
    site, method, answer
):
    """A turn that one has taken, and was killed with, is never sent again."""
    key = KEYS[(await site.by_key()).index("a")]
    taken = [len(one.paths) for one in site.members.values()]
    site.members["a"].refuses = True
    assert await site.who_answers(method=method, x_api_key=key) == answer
    asked = [len(one.paths) for one in site.members.values()]
    assert asked == [taken[0] + 1, taken[1] + (answer == "b")]


def without_what_differs(text):
    """The file's rules for one process, without comments and its choice of one."""
    text = re.sub(r" *#.*", "", text)
    own = r"(?ms)^(upstream|map \$(?!http_upgrade|codex_upgrade)\w+) .*?^}"
    return re.sub(rf"{own}|proxy_next_upstream[^;]*;", "", text).split()


def test_both_files_are_the_same_but_for_the_choice_of_a_process():
    one, many = SHIPPED.read_text(), SHIPPED_FOR_MANY.read_text()
    assert without_what_differs(one) == without_what_differs(many)
