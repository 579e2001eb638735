"""Payloads that are good but for a change or two, as bytes that are nearly JSON."""

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
def nearly_good(draw, good):
    """One of the good payloads, changed in at most two places; now and then cut."""
    payload = copy.deepcopy(draw(st.sampled_from(good)))
    for _ in range(draw(st.integers(0, 2))):
        holder, key = draw(st.sampled_from(list(places(payload)) or [({}, "x")]))
        if draw(st.booleans()):
            holder[key] = draw(odd_values)
        elif isinstance(holder, dict):
            holder.pop(key, None)
    raw = json.dumps(payload).encode()
    return raw[: draw(st.sampled_from([len(raw)] * 9 + [len(raw) // 2]))]
