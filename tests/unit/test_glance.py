"""A glance: what it passes is what the whole schema passes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from marshmallow import ValidationError

from schemas.request import _COMPACT_SCHEMAS, _SCHEMAS
from schemas.responses import NormalizedPayload
from tests.unit.test_normalize_any_json import PAYLOADS

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
SCHEMAS = st.sampled_from([*_SCHEMAS.values(), *_COMPACT_SCHEMAS.values()])


def refuses(check, payload):
    try:
        check(payload)
    except ValidationError:
        return True
    return False


@given(SCHEMAS, PAYLOADS.map(lambda odd: VALID | odd))
@example(next(iter(_SCHEMAS.values())), VALID)
@example(next(iter(_SCHEMAS.values())), VALID | {"model": ""})
@example(next(iter(_SCHEMAS.values())), VALID | {"model": None})
@example(next(iter(_SCHEMAS.values())), VALID | {"stream": 1})
@example(next(iter(_SCHEMAS.values())), VALID | {"text": {"format": {"strict": 0}}})
def test_the_verdict_is_the_schemas_own(schema, payload):
    by_schema = refuses(lambda given: schema.load(NormalizedPayload(given)), payload)
    assert refuses(schema.check, payload) is by_schema


@pytest.mark.parametrize("schema", [*_SCHEMAS.values(), *_COMPACT_SCHEMAS.values()])
def test_a_plain_request_needs_one_glance(schema):
    assert schema._is_plain(VALID)
