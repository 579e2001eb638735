"""Images, search and transcription: bodies pass as they are, to fixed endpoints."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from marshmallow import ValidationError

from gateway.keys.input_estimate import (
    InputSize,
    field_tokens,
    payload_size,
    text_tokens,
)
from gateway.keys.key import Key
from gateway.keys.media_tokens import audio_tokens, picture_tokens
from gateway.keys.model_errors import ModelNotAllowed
from gateway.turns.client_request import Loaded
from gateway.upstream.endpoints import Endpoint
from handlers.api.key_rules import key_policy
from handlers.api.loading import client_request
from handlers.api.stream import ReplyHandler
from schemas.body.json import decode, decode_exactly, encode, has_long_number
from schemas.body.multipart import AmbiguousForm, fields_of, has_field, model_fields
from schemas.fields import LONGEST_MODEL
from schemas.policy.key_policy import KeyPolicy, resolve_alias

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
    new_shapes: tuple[str, ...] = ()
    previous_response_id: str | None = None
    prompt_cache_key: str | None = None
    service_tier: str | None = None
    reasoning_effort: str | None = None
    generate: bool = True

    def body_for(
        self, *, chatgpt_account: bool, takes_chat_parameters: bool = False
    ) -> tuple[bytes, tuple[str, ...]]:
        return self.body, self.changes

    def refusal_by(self, *, chatgpt_account: bool) -> None:
        return None

    def without_items(self, indexes: frozenset[int]) -> Loaded:
        return self


class Form(NamedTuple):
    """A body that is no JSON object, and what a file in it comes to."""

    content_type: str
    body: bytes
    file_tokens: Callable[[bytes], int]


class MediaHandler(ReplyHandler):
    async def post(self) -> None:
        body = await self.read_body()

        def load() -> Loaded:
            loaded, request.input_size = self._load(body)
            return loaded

        request = client_request(
            self.client_facts(),
            self.current_key,
            self.surface,
            self.endpoint,
            len(body),
            load,
        )
        async with self.gateway.proxy.exchange(request) as reply:
            self.release_body()
            await self.stream(reply)

    def _load(self, body: bytes) -> tuple[MediaPayload, InputSize]:
        """The bytes to send, once the key is known to be allowed the model in them."""
        key = self.current_key
        models = key if key is not None and key.models else None
        if _JSON_OBJECT.match(body) is None:
            return _load_form(self._form(body), models)
        policy = key_policy(key, self.gateway.rules)
        return _load_object(body, models, policy)

    def _form(self, body: bytes) -> Form:
        return Form(self.request.headers.get("content-type", ""), body, picture_tokens)


class ImagesGenerationsHandler(MediaHandler):
    endpoint: ClassVar[Endpoint] = Endpoint.IMAGES_GENERATIONS


class ImagesEditsHandler(MediaHandler):
    endpoint: ClassVar[Endpoint] = Endpoint.IMAGES_EDITS


class AlphaSearchHandler(MediaHandler):
    endpoint: ClassVar[Endpoint] = Endpoint.ALPHA_SEARCH


class TranscribeHandler(MediaHandler):
    endpoint: ClassVar[Endpoint] = Endpoint.TRANSCRIBE

    def _load(self, body: bytes) -> tuple[MediaPayload, InputSize]:
        """Raises ValidationError for a form without a recording."""
        if not has_field(self.request.headers.get("content-type", ""), body, "file"):
            raise ValidationError("Missing data for required field.", "file")
        return super()._load(body)

    def _form(self, body: bytes) -> Form:
        return super()._form(body)._replace(file_tokens=audio_tokens)


class ModelCallHandler(MediaHandler):
    """A JSON call of one of the catalogue's models, at an account with an API key."""

    def _load(self, body: bytes) -> tuple[MediaPayload, InputSize]:
        """What the key enforces and allows holds for its model as for a turn's."""
        document = _object(body)
        requested = document.get("model")
        if not isinstance(requested, str) or not 0 < len(requested) <= LONGEST_MODEL:
            raise ValidationError("Must be the name of a model.", "model")
        policy = key_policy(self.current_key, self.gateway.rules)
        document, changes = resolve_alias(document, policy)
        model = policy.model or document["model"]
        if model != document["model"]:
            changes = [*changes, "model enforced"]
        is_sent_anew = changes or policy.imposes
        loaded = MediaPayload(
            encode({**document, "model": model}) if is_sent_anew else body,
            model=model,
            requested_model=requested,
            answers_as=requested if policy.renames(requested) else None,
            changes=tuple(changes),
        )
        return loaded, payload_size(document, len(body))


def _object(body: bytes) -> dict[str, Any]:
    document = decode(body)
    if has_long_number(body):
        document = decode_exactly(body)
    if not isinstance(document, dict):
        raise ValidationError("The payload must be an object.")
    return document


def _load_object(
    body: bytes, key: Key | None, policy: KeyPolicy
) -> tuple[MediaPayload, InputSize]:
    """With a key of few models the bytes of the object that was checked.

    In the client's own a repeated field could say something else.
    """
    try:
        document = _object(body)
    except ValidationError:
        if key is not None:
            raise
        return MediaPayload(body), InputSize(text_tokens(body))  # upstream's to refuse
    size = payload_size(document, len(body))
    requested = document.get("model")
    document, changes = resolve_alias(document, policy)
    model = document.get("model")
    if key is not None and model is not None and not isinstance(model, str):
        raise ValidationError("Must be the name of a model.", "model")
    if key is not None and model is not None and not key.allows(model):
        raise ModelNotAllowed(model)
    loaded = MediaPayload(
        encode(document) if changes or key is not None else body,
        requested_model=requested if isinstance(requested, str) else None,
        answers_as=requested if changes else None,
        changes=tuple(changes),
    )
    return loaded, size


def _load_form(form: Form, key: Key | None) -> tuple[MediaPayload, InputSize]:
    """With a key of few models only a form that can be read in one way."""
    try:
        fields = fields_of(form.content_type, form.body)
        models = model_fields(fields)
    except AmbiguousForm as error:
        if key is not None and form.body:
            raise ValidationError(str(error), error.field) from error
        return MediaPayload(form.body), InputSize(form.file_tokens(form.body))
    for model in models:
        if key is not None and not key.allows(model):
            raise ModelNotAllowed(model)
    tokens = sum(
        form.file_tokens(field.content)
        if field.is_file
        else field_tokens(field.name, field.content)
        for field in fields
    )
    return MediaPayload(form.body), InputSize(tokens)


class EmbeddingsHandler(ModelCallHandler):
    endpoint: ClassVar[Endpoint] = Endpoint.EMBEDDINGS


class InputTokensHandler(ModelCallHandler):
    endpoint: ClassVar[Endpoint] = Endpoint.INPUT_TOKENS
