import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.database import migrate, open_database
from gateway.store.log.log_rows import (
    COLUMNS,
    HOUR_MS,
    MEASURES,
    ROWS_AT_ONCE,
    Sums,
    clean,
    has_known_model,
    write_log,
)
from gateway.store.models import RequestLog
from tests.gateway.store.store_rows import NOW, log_row

LENGTHS = {
    field.name: field.max_length
    for field in RequestLog._meta.sorted_fields
    if hasattr(field, "max_length")
}
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=[]), max_size=400)
    | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


def cleaned_row(row):
    [values] = clean([row])
    return dict(zip(COLUMNS, values, strict=True))


@given(st.dictionaries(st.sampled_from(COLUMNS), anything))
def test_whatever_a_row_holds_it_fits_its_columns(row):
    cleaned = cleaned_row(row)
    for field in RequestLog._meta.sorted_fields[1:]:
        value = cleaned[field.name]
        assert value is not None or field.null
        if field.name in LENGTHS:
            assert value is None or len(value) <= LENGTHS[field.name]
        if isinstance(value, str):
            assert "\0" not in value
            value.encode()
        elif value is not None:
            assert 0 <= value <= 2**48


# Where a value begins not to fit its column.
edges = st.sampled_from(
    [
        *(None, True, False, -1, 0, 1, 2**31 - 1, 2**31, 2**48, 2**48 + 1, 1.5),
        *("", "a", "a" * 16, "a" * 17, "a" * 301, "ä", "a\0b", "\ud800", "7"),
        *([], ["a"], {"a": 1}, float("nan")),
    ]
)
nearly_good = st.builds(
    lambda name, value: log_row(**{name: value}), st.sampled_from(COLUMNS), edges
)


@given(st.lists(nearly_good, min_size=1, max_size=4))
def test_rows_are_cleaned_as_each_would_be_alone(rows):
    rows.append(log_row())  # among good rows a bad one is changed like any other
    assert repr(clean(rows)) == repr([clean([row])[0] for row in rows])


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("status", "a" * 16, "a" * 16),
        ("status", "a" * 17, "a" * 16),
        ("status", None, ""),
        ("status", 5, "5"),
        ("error_code", "a" * 81, "a" * 80),
        ("error_code", None, None),
        ("error_code", "", ""),
        ("error_message", "ä" * 301, "ä" * 300),
        ("error_message", "a\0b", "ab"),
        ("error_message", "a\ud800b", "a?b"),
        ("error_message", "ä\0" + "a" * 300, "ä" + "a" * 299),
        ("changes", None, "[]"),
        ("changes", "x" * 10_000, "x" * 10_000),
        ("receipt", {"a": "ä"}, '{"a": "\\u00e4"}'),
        ("http_status", None, 0),
        ("http_status", "x", 0),
        ("http_status", "404", 404),
        ("http_status", -1, 0),
        ("http_status", 2**31 - 1, 2**31 - 1),
        ("http_status", 2**31, 2**31 - 1),
        ("request_bytes", 2**48, 2**48),
        ("request_bytes", 2**48 + 1, 2**48),
        ("duration_ms", None, None),
        ("duration_ms", "x", None),
        ("duration_ms", 1.9, 1),
        ("duration_ms", float("inf"), None),
        ("is_prewarm", None, False),
        ("is_prewarm", 1, True),
    ],
)
@pytest.mark.parametrize("beside", [0, 2])
def test_a_value_is_made_to_fit_its_column(name, value, stored, beside):
    rows = [log_row() for _ in range(beside)]
    *others, found = clean([*rows, log_row(**{name: value})])
    assert found[COLUMNS.index(name)] == stored
    assert others == [clean([row])[0] for row in rows]


def test_a_clean_row_stays_as_it_is():
    row = cleaned_row(
        log_row(changes='["store"]', cost_microdollars=0, api_key_id=None)
    )
    assert cleaned_row(row) == row
    assert row["changes"] == '["store"]'
    assert row["cost_microdollars"] == 0
    assert row["error_code"] is None
    assert row["receipt"] == "{}"


def test_lists_and_objects_become_json():
    row = cleaned_row(log_row(changes=["store"], receipt={"account": "one"}))
    assert json.loads(row["changes"]) == ["store"]
    assert json.loads(row["receipt"]) == {"account": "one"}


def test_unknown_names_are_left_out():
    assert "prompt" not in cleaned_row(log_row(prompt="secret"))


def group_of(row):
    sums = Sums()
    sums.add(clean([row]), [has_known_model(row)])
    [(key, measures)] = sums.groups()
    return key, dict(zip(MEASURES, measures, strict=True))


def test_a_row_counts_for_its_hour_key_account_and_model():
    key, sums = group_of(
        log_row(
            api_key_id=7,
            input_tokens=10,
            cached_tokens=8,
            cost_microdollars=None,
            duration_ms=900,
            first_output_ms=0,
        )
    )
    assert key == (NOW // HOUR_MS * HOUR_MS, 7, 1, "gpt-5.4")
    assert sums["requests"] == sums["unpriced"] == sums["first_outputs"] == 1
    assert (sums["input_tokens"], sums["cached_tokens"]) == (10, 8)
    assert (sums["duration_ms"], sums["first_output_ms"]) == (900, 0)
    assert sums["errors"] == sums["interrupted"] == sums["cost_microdollars"] == 0


def test_errors_and_interruptions_are_told_apart():
    assert group_of(log_row(status="error"))[1]["errors"] == 1
    assert group_of(log_row(status="interrupted"))[1]["interrupted"] == 1


@pytest.mark.parametrize(
    ("model", "row", "counted"),
    [
        ("any-name", {"status": "error"}, "other"),
        ("any-name", {"status": "interrupted"}, "other"),
        ("any-name", {"status": "error", "account_id": None}, "other"),
        ("any-name", {"status": "success"}, "any-name"),
        ("gpt-5.4", {"status": "error", "is_known_model": True}, "gpt-5.4"),
        (None, {"status": "error"}, ""),
    ],
)
def test_only_models_that_upstream_has_get_sums_of_their_own(model, row, counted):
    assert group_of(log_row(model=model, **row))[0][3] == counted


@pytest.mark.parametrize("count", [1, ROWS_AT_ONCE - 1, ROWS_AT_ONCE, ROWS_AT_ONCE + 1])
def test_as_many_rows_are_written_as_are_given(count, tmp_path):
    database = open_database(f"sqlite:///{tmp_path / 'log.db'}")
    names = [f"{n:032x}" for n in range(count)]
    with database.connection_context():
        migrate(database)
        write_log(database, clean([log_row(request_id=name) for name in names]))
        found = [row.request_id for row in RequestLog.select().bind(database)]
    assert sorted(found) == names


def test_the_sums_of_many_rows_are_those_of_each():
    rows = clean([log_row(input_tokens=n, model=f"m{n % 2}") for n in range(5)])
    together, singly = Sums(), Sums()
    together.add(rows, [True] * len(rows))
    for row in rows:
        singly.add([row], [True])
    assert dict(together.groups()) == dict(singly.groups())
    assert {key[3]: sums[4] for key, sums in together.groups()} == {"m0": 6, "m1": 4}
