"""The quick field checks accept and refuse what marshmallow accepts and refuses."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from marshmallow import ValidationError

from schemas.request import first_bad_field
from schemas.responses import responses_schema
from schemas.surfaces import Surface
from tests.schemas.test_normalize_any_json import PAYLOADS

VALID = {
    "model": "gpt-5.5",
    "instructions": "Be brief.",
    "input": [{"role": "user", "content": "hi"}],
    "tools": [{"type": "function", "name": "f"}],
    "reasoning": {"effort": "low"},
    "text": {"format": {"type": "text", "strict": True}},
    "store": False,
    "stream": True,
}
CODEX = responses_schema(Surface.CODEX, False, ())
ALL_SCHEMAS = [
    responses_schema(surface, compact, ())
    for surface in Surface
    for compact in (False, True)
]
SCHEMAS = st.sampled_from(ALL_SCHEMAS)
ACCEPTED = object()


def verdict(check, payload):
    """ACCEPTED, or the field to name and all messages."""
    try:
        check(payload)
    except ValidationError as error:
        return first_bad_field(error), error.normalized_messages()
    return ACCEPTED


# A few odd fields at a time: of many, one would nearly always be wrong.
@given(SCHEMAS, st.lists(PAYLOADS, max_size=2))
@example(CODEX, [{"model": ""}])
@example(CODEX, [{"model": None}])
@example(CODEX, [{"stream": 1}])
@example(CODEX, [{"text": {"format": {"strict": 0}}}])
@example(CODEX, [{"text": {"format": {"strict": None}}}])
@example(CODEX, [{"truncation": None, "include": [], "conversation": {}}])
def test_the_verdict_is_marshmallows_own(schema, odd):
    payload = VALID | {name: value for one in odd for name, value in one.items()}
    by_marshmallow = verdict(schema.load, payload)
    assert verdict(schema.normalize_and_check, payload) == by_marshmallow


@pytest.mark.parametrize("name", VALID)
@pytest.mark.parametrize("schema", ALL_SCHEMAS)
def test_a_missing_field_is_marshmallows_to_name(schema, name):
    payload = {other: VALID[other] for other in VALID if other != name}
    by_marshmallow = verdict(schema.load, payload)
    assert verdict(schema.normalize_and_check, payload) == by_marshmallow


@pytest.mark.parametrize("schema", ALL_SCHEMAS)
def test_a_valid_request_is_accepted_by_the_quick_checks_alone(schema):
    schema._field_checks.check(VALID)
    with pytest.raises(ValidationError):
        schema._field_checks.check(VALID | {"model": 5})
