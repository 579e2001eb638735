"""LoadedRequest: a valid request, and what of it goes to which kind of account."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from marshmallow import ValidationError

from schemas.body.json import decode_exactly, encode, has_long_number
from schemas.policy.account_forms import (
    NOTHING_ELSE,
    AccountForm,
    KindOfForm,
    account_forms,
    bodies_of,
)
from schemas.policy.key_policy import effort_of
from schemas.policy.tools import KINDS_OF_ACCOUNT, KindOfAccount, ToolPolicy
from schemas.reasons import Problem
from schemas.surfaces import Surface


class Asked(NamedTuple):
    """What the client asked for, whatever becomes of it."""

    model: str
    stream: bool
    surface: Surface
    tools: ToolPolicy
    by_alias: bool
    compaction: bool = False
    chat_only: Mapping[str, Any] = NOTHING_ELSE  # for compatible servers


@dataclass(slots=True)
class LoadedRequest:
    """A valid request; `payload` and `changes` are those for accounts with a key."""

    payload: dict[str, Any]
    changes: tuple[str, ...]
    new_shapes: tuple[str, ...]  # types of tools that nothing here knows
    model: str
    asked: Asked
    previous_response_id: str | None
    prompt_cache_key: str | None
    service_tier: str | None
    reasoning_effort: str | None
    generate: bool  # False for a frame that only warms the model up
    _own: bytes | None = field(repr=False)  # the client's bytes, where they can go
    _forms: Mapping[KindOfForm, AccountForm] = field(repr=False)
    _bodies: Mapping[KindOfForm, bytes] = field(repr=False)  # encoded so far
    # Why it can go to one kind of account only, by the other kind.
    _problems: Mapping[KindOfAccount, Problem] = field(repr=False)

    @property
    def requested_model(self) -> str:
        """Before the key enforced another."""
        return self.asked.model

    @property
    def answers_as(self) -> str | None:
        """The alias that the client asked by, which the answer is to name."""
        return self.asked.model if self.asked.by_alias else None

    @property
    def stream(self) -> bool:
        """What the client asked for, whatever goes upstream."""
        return self.asked.stream

    def body_for(
        self, *, chatgpt_account: bool, takes_chat_parameters: bool = False
    ) -> tuple[bytes, tuple[str, ...]]:
        """The bytes to send and what was changed: the client's own when nothing was."""
        is_compatible = takes_chat_parameters and not chatgpt_account
        kind = "compatible" if is_compatible else _kind(chatgpt_account)
        form, body = self._forms[kind], self._bodies.get(kind)
        sent = encode(form.payload) if body is None else body
        return sent, (*self.changes, *form.changes)

    def refusal_by(self, *, chatgpt_account: bool) -> Problem | None:
        """What keeps the request from a kind of account; the other kind takes it."""
        return self._problems.get("chatgpt" if chatgpt_account else "api_key")

    def without_items(self, indexes: frozenset[int]) -> "LoadedRequest":
        """The same request without these items of its `input`.

        Unchanged when it is nested too deeply to be written anew.
        """
        try:
            payload = self.payload
            if self._own is not None and has_long_number(self._own):
                # Bytes that were to go as they came: read anew, no integer rounded.
                payload = decode_exactly(self._own)
            kept = [
                item
                for index, item in enumerate(payload["input"])
                if index not in indexes
            ]
            payload = {**payload, "input": kept}
            return finish_loading(
                payload, list(self.changes), None, self.asked, self._problems
            )
        except ValidationError:
            return self


def _kind(chatgpt_account: bool) -> KindOfAccount:
    return "chatgpt" if chatgpt_account else "api_key"


def finish_loading(
    payload: dict[str, Any],
    changes: list[str],
    own: bytes | None,
    asked: Asked,
    problems: Mapping[KindOfAccount, Problem],
) -> LoadedRequest:
    """Everything about a valid payload; `own` are the client's bytes if they can go.

    Raises ValidationError for what no kind of account can take.
    """
    if len(problems) == len(KINDS_OF_ACCOUNT):
        first = next(iter(problems.values()))
        raise ValidationError(first.text, first.path[0], data=payload)
    forms = account_forms(
        payload,
        asked.surface,
        asked.tools,
        compact=asked.compaction,
        chat_only=asked.chat_only,
    )
    if asked.chat_only:
        encode(dict(asked.chat_only))  # what could make that fail is found out here
    return LoadedRequest(
        payload=payload,
        changes=tuple(changes),
        new_shapes=asked.tools.new_shapes(payload.get("tools")),
        model=payload["model"],
        asked=asked,
        previous_response_id=payload.get("previous_response_id"),
        prompt_cache_key=payload.get("prompt_cache_key"),
        service_tier=payload.get("service_tier"),
        reasoning_effort=effort_of(payload),
        generate=payload.get("generate") is not False,
        _own=own,
        _forms=forms,
        _bodies=bodies_of(payload, forms, own),
        _problems=problems,
    )
