"""Pictures, search and transcription: bodies pass as they are, to fixed paths."""

import re
from dataclasses import dataclass
from typing import ClassVar

from tornado.web import stream_request_body

from gateway.errors import ModelNotAllowed
from gateway.turns.client_request import ClientRequest, Loaded
from gateway.upstream.endpoints import Endpoint
from handlers.api.loading import refusing
from handlers.api.responses import ReplyHandler
from schemas.body.json import decode, decode_exactly, encode, has_long_number

_JSON_OBJECT = re.compile(rb"(?:\xef\xbb\xbf)?\s*+\{")


@dataclass(frozen=True, slots=True)
class MediaPayload:
    """A body nobody opens; its model is not one of the catalogue's."""

    body: bytes
    payload: None = None
    model: str | None = None
    requested_model: str | None = None
    stream: bool = False
    changes: tuple[str, ...] = ()
    previous_response_id: str | None = None
    prompt_cache_key: str | None = None
    service_tier: str | None = None
    reasoning_effort: str | None = None
    generate: bool = True

    def body_for(self, *, chatgpt_account: bool) -> tuple[bytes, tuple[str, ...]]:
        return self.body, ()

    def without_items(self, indexes: frozenset[int]) -> Loaded:
        return self


class MediaHandler(ReplyHandler):
    route: ClassVar[Endpoint]

    async def post(self) -> None:
        body = await self.read_body()
        request = ClientRequest(
            client=self.client_facts(),
            surface="codex" if self.surface.is_codex else "v1",
            transport="http",
            route=self.route,
            key=self.current_key,
            size=len(body),
            load=refusing(lambda: MediaPayload(self._checked(body))),
        )
        async with self.gateway.proxy.exchange(request) as reply:
            self.body.release()
            await self.stream(reply)

    def _checked(self, body: bytes) -> bytes:
        """What goes up: of a key with models only a model that it may use.

        Of a JSON body that is the object that was checked: in the client's bytes a
        repeated field could say something else. Forms are not looked into.
        """
        key = self.current_key
        if key is None or not key.models or _JSON_OBJECT.match(body) is None:
            return body
        document = decode(body)
        if has_long_number(body):
            document = decode_exactly(body)
        model = document.get("model") if isinstance(document, dict) else None
        if isinstance(model, str) and not key.allows(model):
            raise ModelNotAllowed(model)
        return encode(document)


@stream_request_body
class ImagesGenerationsHandler(MediaHandler):
    route: ClassVar[Endpoint] = Endpoint.IMAGES_GENERATIONS


@stream_request_body
class ImagesEditsHandler(MediaHandler):
    route: ClassVar[Endpoint] = Endpoint.IMAGES_EDITS


@stream_request_body
class AlphaSearchHandler(MediaHandler):
    route: ClassVar[Endpoint] = Endpoint.ALPHA_SEARCH


@stream_request_body
class TranscribeHandler(MediaHandler):
    route: ClassVar[Endpoint] = Endpoint.TRANSCRIBE
