"""The scripted upstream: backend, OpenAI-compatible endpoint and login server."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from gateway.demo import catalogue, faults, side
from gateway.demo.accounts import DemoAccount
from gateway.demo.answers import Plan, ScriptedResponse, Step
from gateway.demo.conversation import DemoConversation
from gateway.demo.oauth import AuthServer
from gateway.demo.playing import play_http
from gateway.demo.received import Received, ReceivedRoute, items_of, route_of
from gateway.demo.refusals import refusal_of_turn
from gateway.demo.scenarios import default_answer, with_limits
from gateway.demo.script import Script, ScriptRule
from gateway.upstream.logins.auth_json import claims

_MAX_BODY = 256 * 1024 * 1024
_MAX_HEADER = 256 * 1024  # one line; refusing is what the gateway is tested for
_OF_LOGINS: frozenset[ReceivedRoute] = frozenset(
    {"refresh", "login", "usercode", "device_token", "whoami"}
)


class ScriptedUpstream:
    """Serves on loopback; `url` + "/backend-api", `url` + "/v1" and `url` itself.

    What a request gets: what a real upstream would refuse (refusals.py) a 400, unless
    `lenient`; else a rule added with `answer`, else a directive in its prompt
    (scenarios.py), else a friendly default.
    """

    def __init__(self, *, remember: int = 10_000, lenient: bool = False) -> None:
        self.lenient = lenient
        self.accounts: dict[str, DemoAccount] = {}
        self.auth = AuthServer(self.accounts)
        self.script = Script()
        self.models = catalogue.default_models()
        self.requests: list[Received] = []  # newest last, `remember` at most
        self.open_sockets: set[DemoConversation] = set()
        self.response_owners: dict[str, str | None] = {}  # response id → account
        self.url = ""
        self._remember = remember
        self._arrival = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self, port: int = 0) -> None:
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_get("/backend-api/codex/responses", self._upgrade)
        app.router.add_get("/backend-api/codex/v1/responses", self._upgrade)
        app.router.add_get("/v1/responses", self._upgrade)
        app.router.add_route("*", "/{path:.*}", self._serve)
        # A vanished peer cancels the handler; bodies are recorded as they were sent.
        self._runner = web.AppRunner(
            app,
            handler_cancellation=True,
            auto_decompress=False,
            access_log=None,
            max_field_size=_MAX_HEADER,
            max_line_size=_MAX_HEADER,
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.auth.url = self.url

    async def stop(self) -> None:
        """Close the listener and cut everything that is still open."""
        if self._runner is None:
            return
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._runner.cleanup()
        self._runner = None

    def add_account(self, name: str, **fields: Any) -> DemoAccount:
        account = DemoAccount(name, **fields)
        self.accounts[name] = account
        return account

    def answer(
        self,
        first: Plan | Step,
        *steps: Step,
        route: ReceivedRoute = "responses",
        account: str | None = None,
        times: int | None = 1,
        **fields: Any,
    ) -> ScriptRule:
        """Script the next answer: an Answer or a callable, or the steps of one.

        `account` limits it to that account, `times` None keeps it for good;
        `fields` are those of Answer (status, headers, before, bare).
        """
        if isinstance(first, ScriptedResponse) or callable(first):
            return self.script.add(ScriptRule(first, route, account, times))
        made = ScriptedResponse((first, *steps), **fields)
        return self.script.add(ScriptRule(made, route, account, times))

    def of(self, route: ReceivedRoute = "responses") -> list[Received]:
        """What arrived on one route, oldest first."""
        return [received for received in self.requests if received.route == route]

    async def arrived(
        self, count: int = 1, route: ReceivedRoute = "responses"
    ) -> Received:
        """Wait until so many requests have come on a route; give the last of them."""
        while len(self.of(route)) < count:
            self._arrival.clear()
            await self._arrival.wait()
        return self.of(route)[count - 1]

    def record(self, received: Received) -> None:
        self.requests.append(received)
        del self.requests[: -self._remember]
        self._arrival.set()

    def answer_for(self, received: Received) -> ScriptedResponse:
        """The answer a request gets; also where access is checked."""
        if received.route != "side" and received.route not in _OF_LOGINS:
            token = received.headers.get("authorization", "").removeprefix("Bearer ")
            expires_at = claims(token).get("exp")
            expired = isinstance(expires_at, int) and expires_at < time.time()
            if not token or expired or token in self.auth.revoked:
                return faults.unauthorized()
        answer = (
            self._refusal(received)
            or self.script.take(received)
            or self._default(received)
        )
        self._remember_limit(received, answer)
        return answer

    def _refusal(self, received: Received) -> ScriptedResponse | None:
        is_turn = received.route in {"responses", "prewarm", "compact"}
        return (
            refusal_of_turn(received, self.models)
            if is_turn and not self.lenient
            else None
        )

    def _remember_limit(self, received: Received, answer: ScriptedResponse) -> None:
        """What an account's usage says is what its requests have met."""
        account = self.accounts.get(received.account or "")
        if account is None or received.route != "responses":
            return
        if answer.status == 200:
            account.limited_until = 0.0
        elif answer.status == 429 and (resets_at := answer.error().get("resets_at")):
            account.limited_until = resets_at

    def usual_headers(self, received: Received) -> dict[str, str]:
        """What every model answer carries."""
        headers = {"x-models-etag": catalogue.etag(self.models)}
        headers["x-request-id"] = f"up-{len(self.requests)}"
        if received.route in {"responses", "handshake"}:
            headers["x-codex-turn-state"] = received.headers.get(
                "x-codex-turn-state", f"turn-of-{received.account}"
            )
        account = self.accounts.get(received.account or "")
        if account is not None:
            headers.update(side.limit_headers(account))
        return headers

    def receive(
        self, request: web.Request, body: bytes, route: ReceivedRoute
    ) -> Received:
        headers = {name.lower(): value for name, value in request.headers.items()}
        peer = request.transport and request.transport.get_extra_info("peername")
        return Received(
            route=route,
            method=request.method,
            path=request.path,
            query=request.query_string,
            headers=headers,
            raw_headers=tuple(
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in request.raw_headers
            ),
            body=body,
            transport="http",
            account=self._account_of(headers),
            connection=peer[1] if peer else 0,
        )

    def _account_of(self, headers: dict[str, str]) -> str | None:
        account_id = headers.get("chatgpt-account-id")
        for account in self.accounts.values():
            if account.account_id == account_id:
                return account.name
        if account_id:
            return account_id
        token = headers.get("authorization", "").removeprefix("Bearer ")
        return token or None

    def _default(self, received: Received) -> ScriptedResponse:
        account = self.accounts.get(received.account or "")
        if received.route in {"responses", "prewarm"}:
            return self._turn(received, account)
        if received.route in _OF_LOGINS:
            return self.auth.answer(received)
        if received.route == "handshake":
            return ScriptedResponse(status=101)
        if received.route == "models":
            openai = received.path.startswith("/v1/")
            return catalogue.answer(self.models, openai=openai)
        return side.side_answer(received, account)

    def _turn(
        self, received: Received, account: DemoAccount | None
    ) -> ScriptedResponse:
        if received.transport == "websocket":
            answer = default_answer(received)
            return with_limits(answer, account) if account else answer
        wanted = str(received.payload.get("previous_response_id"))
        if self.response_owners.get(wanted, received.account) != received.account:
            return faults.previous_response_not_found(wanted)
        return default_answer(received)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        async def answer() -> web.StreamResponse:
            body = await request.read()
            received = self.receive(request, body, route_of(request.path, body))
            received.history = items_of(received.payload)
            self.record(received)
            try:
                made = self.answer_for(received)
                self.note_ids(made, received)
                headers = self.usual_headers(received)
                headers["content-type"] = "text/event-stream"
                return await play_http(made, request, received, headers)
            except (asyncio.CancelledError, ConnectionError):
                if not received.cut:
                    received.closed.set()
                raise
            finally:
                received.done.set()

        return await self._owned(answer)

    async def _upgrade(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("upgrade", "").lower() != "websocket":
            return await self._serve(request)
        conversation = DemoConversation(self, request)
        self.open_sockets.add(conversation)
        try:
            return await self._owned(conversation.serve)
        finally:
            self.open_sockets.discard(conversation)

    async def _owned(
        self, work: Callable[[], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Run a handler so that `stop` can end it."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("handlers run in tasks")
        self._tasks.add(task)
        try:
            return await work()
        finally:
            self._tasks.discard(task)

    def note_ids(self, answer: ScriptedResponse, received: Received) -> None:
        """Remember whose the responses are that an answer makes."""
        for step in answer.steps:
            if isinstance(step, dict) and isinstance(step.get("response"), dict):
                self.response_owners[str(step["response"].get("id"))] = received.account
