"""Payloads that are good but for a change or two, also as bytes of JSON."""

import copy
import json

from hypothesis import strategies as st

odd_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4)
    | st.sampled_from(["auto", "none", "user", "tool", "function", "json_object"]),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.sampled_from(["type", "name", "text", "role"]), inner),
    max_leaves=4,
)


def places(value):
    """Each object and list inside the value with each of its keys or indexes."""
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


@st.composite
def nearly(draw, good):
    """One of the good values, changed in at most two places."""
    whole = [copy.deepcopy(draw(st.sampled_from(good)))]
    for _ in range(draw(st.integers(0, 2))):
        holder, key = draw(st.sampled_from([*places(whole)][1:] or [(whole, 0)]))
        if draw(st.booleans()):
            holder[key] = draw(odd_values)
        else:
            del holder[key]
    return whole[0] if whole else None


def nearly_good(good):
    """The same as the bytes of a body, now and then cut in half."""
    parts = st.sampled_from([1.0] * 9 + [0.5])
    bodies = nearly(good).map(lambda value: json.dumps(value).encode())
    return st.builds(lambda raw, part: raw[: int(part * len(raw))], bodies, parts)
