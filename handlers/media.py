"""Pictures, search and transcription: bodies pass as they are, to fixed paths."""

from dataclasses import dataclass
from typing import ClassVar

import orjson
from tornado.web import stream_request_body

from gateway.errors import ModelNotAllowed
from gateway.exchange import ClientRequest, Loaded, Route
from handlers.responses import ReplyHandler


@dataclass(frozen=True, slots=True)
class MediaPayload:
    """A body nobody opens; its model is not one of the catalogue's."""

    body: bytes
    payload: None = None
    model: str | None = None
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
    route: ClassVar[Route]

    async def post(self) -> None:
        body = await self.read_body()
        request = ClientRequest(
            client=self.client_facts(),
            surface="codex" if self.surface.is_codex else "v1",
            transport="http",
            route=self.route,
            key=self.current_key,
            size=len(body),
            load=lambda: self._load(body),
        )
        async with self.gateway.proxy.exchange(request) as reply:
            self.body.release()
            await self.stream(reply)

    def _load(self, body: bytes) -> Loaded:
        """Check the model a restricted key asks for, where the body names one."""
        key = self.current_key
        if key is not None and key.models:
            model = _model_of(body)
            if model is not None and not key.allows(model):
                raise ModelNotAllowed(model)
        return MediaPayload(body)


@stream_request_body
class ImagesGenerationsHandler(MediaHandler):
    route: ClassVar[Route] = Route.IMAGES_GENERATIONS


@stream_request_body
class ImagesEditsHandler(MediaHandler):
    route: ClassVar[Route] = Route.IMAGES_EDITS


@stream_request_body
class AlphaSearchHandler(MediaHandler):
    route: ClassVar[Route] = Route.ALPHA_SEARCH


@stream_request_body
class TranscribeHandler(MediaHandler):
    route: ClassVar[Route] = Route.TRANSCRIBE


def _model_of(body: bytes) -> str | None:
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None  # a multipart form
    model = payload.get("model") if isinstance(payload, dict) else None
    return model if isinstance(model, str) else None
