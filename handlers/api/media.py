"""Images, search and transcription: bodies pass as they are, to fixed endpoints."""

import re
from dataclasses import dataclass
from typing import ClassVar

from marshmallow import ValidationError

from gateway.keys.model_errors import ModelNotAllowed
from gateway.turns.client_request import Loaded
from gateway.upstream.endpoints import Endpoint
from handlers.api.loading import client_request, key_policy
from handlers.api.stream import ReplyHandler
from schemas.body.json import decode, decode_exactly, encode, has_long_number
from schemas.body.multipart import has_field
from schemas.policy.key_policy import resolve_alias

_JSON_OBJECT = re.compile(rb"(?:\xef\xbb\xbf)?\s*+\{")


@dataclass(frozen=True, slots=True)
class MediaPayload:
    """A body that passes as it is; without a model where none of the catalogue's."""

    body: bytes
    payload: None = None
    model: str | None = None
    requested_model: str | None = None
    answers_as: str | None = None
    stream: bool = False
    changes: tuple[str, ...] = ()
    previous_response_id: str | None = None
    prompt_cache_key: str | None = None
    service_tier: str | None = None
    reasoning_effort: str | None = None
    generate: bool = True

    def body_for(self, *, chatgpt_account: bool) -> tuple[bytes, tuple[str, ...]]:
        return self.body, self.changes

    def refusal_by(self, *, chatgpt_account: bool) -> None:
        return None

    def without_items(self, indexes: frozenset[int]) -> Loaded:
        return self


class MediaHandler(ReplyHandler):
    async def post(self) -> None:
        body = await self.read_body()
        request = client_request(
            self.client_facts(),
            self.current_key,
            self.surface,
            self.endpoint,
            len(body),
            lambda: self._load(body),
        )
        async with self.gateway.proxy.exchange(request) as reply:
            self.release_body()
            await self.stream(reply)

    def _load(self, body: bytes) -> MediaPayload:
        return MediaPayload(self._checked(body))

    def _checked(self, body: bytes) -> bytes:
        """The bytes to send, once a key with models is known to be allowed this one.

        For a JSON body these are of the object that was checked: in the client's bytes
        a repeated field could say something else. Forms are not parsed.
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


class ImagesGenerationsHandler(MediaHandler):
    endpoint: ClassVar[Endpoint] = Endpoint.IMAGES_GENERATIONS


class ImagesEditsHandler(MediaHandler):
    endpoint: ClassVar[Endpoint] = Endpoint.IMAGES_EDITS


class AlphaSearchHandler(MediaHandler):
    endpoint: ClassVar[Endpoint] = Endpoint.ALPHA_SEARCH


class TranscribeHandler(MediaHandler):
    endpoint: ClassVar[Endpoint] = Endpoint.TRANSCRIBE

    def _checked(self, body: bytes) -> bytes:
        """Raises ValidationError for a form without a recording."""
        if not has_field(self.request.headers.get("content-type", ""), body, "file"):
            raise ValidationError("Missing data for required field.", "file")
        return super()._checked(body)


class ModelCallHandler(MediaHandler):
    """A JSON call of one of the catalogue's models, at an account with an API key."""

    def _load(self, body: bytes) -> MediaPayload:
        """What the key enforces and allows holds for its model as for a turn's."""
        document = decode(body)
        if has_long_number(body):
            document = decode_exactly(body)
        if not isinstance(document, dict):
            raise ValidationError("The payload must be an object.")
        requested = document.get("model")
        if not isinstance(requested, str) or not requested:
            raise ValidationError("Must be the name of a model.", "model")
        policy = key_policy(self.current_key, self.gateway.rules)
        document, changes = resolve_alias(document, policy)
        model = policy.model or document["model"]
        if model != document["model"]:
            changes = [*changes, "model enforced"]
        is_sent_anew = changes or policy.imposes
        return MediaPayload(
            encode({**document, "model": model}) if is_sent_anew else body,
            model=model,
            requested_model=requested,
            answers_as=requested if policy.renames(requested) else None,
            changes=tuple(changes),
        )


class EmbeddingsHandler(ModelCallHandler):
    endpoint: ClassVar[Endpoint] = Endpoint.EMBEDDINGS


class InputTokensHandler(ModelCallHandler):
    endpoint: ClassVar[Endpoint] = Endpoint.INPUT_TOKENS
