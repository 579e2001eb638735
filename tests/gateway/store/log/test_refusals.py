"""So many light rows a minute, and a count beyond: a flood writes no more than that."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.store.log.refusals import ALL_ROWS, SENDER_ROWS, Refusals

MINUTE = 60.0


class Door:
    """Refusals with a clock of its own; keeps what would be written."""

    def __init__(self):
        self.now = 1_764_000_000.0
        self.light, self.logged = [], []
        self.refusals = Refusals(
            self.logged.append, self.light.append, lambda: self.now
        )

    def refuse(
        self, network="192.0.2.1", key=None, code="invalid_api_key", address=None
    ):
        self.refusals.note(
            {
                "request_id": "ab" * 16,
                "created_at": int(self.now * 1000),
                "api_key_id": key,
                "client_address": address or network,
                "network": network,
                "surface": "v1",
                "door": "Responses",
                "http_status": 401,
                "error_code": code,
                "reason": "the key is unknown",
            }
        )

    def end(self, **row):
        """One exchange's row."""
        self.refusals.log(
            {
                **{"is_refusal": True, "http_status": 400, "api_key_id": 1},
                **{"network": "192.0.2.1", "client_address": "192.0.2.1"},
                **{"created_at": int(self.now * 1000), "route": "responses"},
                **{"surface": "v1", "error_code": "invalid_request_error"},
                **{"error_origin": "client"},
                **{"error_message": "the key's limit is reached", **row},
            }
        )

    @property
    def counted(self):
        return [row for row in self.light if row.get("request_id") is None]


@pytest.fixture
def door():
    return Door()


def test_a_sender_has_sixty_rows_a_minute_and_a_count_beyond(door):
    for _ in range(100):
        door.refuse()
    assert len(door.light) == SENDER_ROWS
    door.now += MINUTE
    door.refusals.hand_over()
    (counted,) = door.counted
    assert (counted["requests"], counted["client_address"]) == (40, "192.0.2.1")
    assert counted["reason"] == "the key is unknown"
    door.refuse()
    assert len(door.light) == SENDER_ROWS + 2  # a new minute has room again


def test_a_key_is_one_sender_wherever_it_comes_from(door):
    for number in range(100):
        door.refuse(network=f"192.0.2.{number}", key=7)
    assert len(door.light) == SENDER_ROWS


def test_all_together_have_six_hundred_and_strangers_beyond_are_one_number(door):
    for number in range(5_000):
        door.refuse(network=f"2001:db8:{number:x}::/64")
    assert len(door.light) == ALL_ROWS
    door.refusals.hand_over(at_end=True)
    (counted,) = door.counted
    assert (counted["requests"], counted["client_address"]) == (4_400, "")


@pytest.mark.parametrize(("key", "shown"), [(None, "2001:db8::/64"), (7, "")])
def test_a_sender_s_number_is_one_row_from_however_many_addresses(door, key, shown):
    for number in range(1_000):
        door.refuse("2001:db8::/64", key, address=f"2001:db8::{number:x}")
    door.refusals.hand_over(at_end=True)
    (counted,) = door.counted
    assert (counted["requests"], counted["client_address"]) == (940, shown)
    assert counted["api_key_id"] == key


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3), st.floats(0, 9))))
def test_every_refusal_is_a_row_or_counted(refused):
    door = Door()
    for sender, code, pause in refused:
        for _ in range(11):
            door.refuse(network=f"192.0.2.{sender}", code=f"code {code}")
        door.now += pause
    door.refusals.hand_over(at_end=True)
    assert sum(row["requests"] for row in door.light) == 11 * len(refused)


def test_a_turn_s_row_is_written_and_refused_ones_only_so_many(door):
    for _ in range(100):
        door.end(is_refusal=False)
        door.end()
    assert len(door.logged) == 100 + SENDER_ROWS
    door.refusals.hand_over(at_end=True)
    (counted,) = door.counted
    assert (counted["requests"], counted["door"]) == (40, "responses")


def test_the_accounts_limits_leave_more_of_their_receipts(door):
    for _ in range(700):
        door.end(http_status=429, error_origin="account")
    assert len(door.logged) == 10 * SENDER_ROWS
    door.refusals.hand_over(at_end=True)
    assert [row["requests"] for row in door.counted] == [100]


def test_a_key_s_limit_leaves_a_light_row(door):
    door.end(http_status=429, request_id="cd" * 16)
    (row,) = door.light
    assert (row["http_status"], row["reason"]) == (429, "the key's limit is reached")
    assert door.logged == []
