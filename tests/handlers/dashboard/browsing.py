"""A browser without scripts, signed in at a gateway under test."""

import asyncio
import re
import socket
import time
from html.parser import HTMLParser

from gateway.sign_in.account_rows import add_user
from gateway.sign_in.sessions import BrowserFacts, begin_session, new_token
from gateway.sign_in.users import Role
from tests.serving import PATIENCE

HERE = BrowserFacts("127.0.0.1", "127.0.0.1", "a browser", has_tls=False)
LOCAL = {"sec-fetch-site": "same-origin"}


class Page(HTMLParser):
    """An answer: its status, its text as a person reads it, its forms' fields."""

    def __init__(self, answered):
        super().__init__()
        self.status, self.headers = answered.status, answered.headers
        self.html = answered.body.decode()
        self.tags, self.attributes, self.fields, self.links = [], [], {}, []
        self._texts = []
        self.feed(self.html)
        self.text = re.sub(r"\s+", " ", " ".join(self._texts)).strip()

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "input" and "name" in told:
            self.fields[told["name"]] = told.get("value") or ""
        if tag == "a" and "href" in told:
            self.links.append(told["href"])

    def handle_data(self, data):
        self._texts.append(data)


class Browser:
    """Keeps cookies, follows nothing by itself, sends what browsers send."""

    def __init__(self, serving):
        self.serving = serving
        self.cookies = {}

    async def get(self, path, **headers):
        return await self._send("GET", path, None, headers)

    async def post(self, path, fields=None, *, on=None, **headers):
        """Send a form of the page `on` (its own path without one), token and all."""
        page = await self.get(on or path)
        sent = {"xsrf": page.fields.get("xsrf", ""), **(fields or {})}
        return await self._send("POST", path, sent, headers)

    async def follow(self, page):
        """The page that an answer sends on to."""
        return await self.get(page.headers["location"])

    def stream(self, path):
        """An answer that is read bit by bit."""
        return self.serving.session.get(path, headers=self._headers())

    def head(self, path, method="GET", **more):
        """The bytes of a request."""
        named = {name.replace("_", "-"): value for name, value in more.items()}
        lines = "".join(
            f"{name}: {value}\r\n"
            for name, value in {**self._headers(), **named}.items()
        )
        host = f"localhost:{self.serving.server.port}"
        return f"{method} {path} HTTP/1.1\r\nhost: {host}\r\n{lines}\r\n".encode()

    def _headers(self):
        pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {**LOCAL, "accept": "text/html", **({"cookie": pairs} if pairs else {})}

    async def _send(self, method, path, fields, headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = self._headers()
        async with self.serving.session.request(
            method,
            path,
            data=fields,
            headers={**sent, **named},
            allow_redirects=False,
        ) as response:
            for name, morsel in response.cookies.items():
                self.cookies[name] = morsel.value
                if morsel["max-age"] == "0":
                    del self.cookies[name]
            told = {name.lower(): value for name, value in response.headers.items()}
            return Page(_Read(response.status, told, await response.read()))


class _Read:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


class SlowReader:
    """A connection with a request, of whose answer nothing is read unasked."""

    def __init__(self, serving, head):
        self._port, self._head = serving.server.port, head

    async def __aenter__(self):
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.setblocking(False)
        await self._loop.sock_connect(self._socket, ("127.0.0.1", self._port))
        await self._loop.sock_sendall(self._socket, self._head)
        return self

    async def __aexit__(self, *_):
        self._socket.close()

    async def read(self):
        """What is there; nothing at the end."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_000_000)
        async with asyncio.timeout(PATIENCE):
            try:
                return await self._loop.sock_recv(self._socket, 1_000_000)
            except ConnectionError:
                return b""


async def signed_in(serving, role=Role.OWNER, name="ada", *, ago=0.0):
    """A browser in which a user of that role has signed in so many seconds ago."""
    sign_in, token = serving.gateway.sign_in, new_token()

    def make():
        user = add_user(name, role, "none that matches")
        begin_session(user, token, HERE, time.time() - ago)

    await serving.gateway.store.write(make)
    await sign_in.load()
    browser = Browser(serving)
    browser.cookies[f"codexgate-{serving.server.port}"] = token
    return browser


async def enter(browser, user_id, ago=0.0):
    """Begin a session of a user in the browser, so many seconds ago."""
    gateway, token = browser.serving.gateway, new_token()
    (user,) = (one for one in gateway.sign_in.users if one.id == user_id)
    await gateway.store.write(begin_session, user, token, HERE, time.time() - ago)
    await gateway.sign_in.load()
    browser.cookies[f"codexgate-{browser.serving.server.port}"] = token
