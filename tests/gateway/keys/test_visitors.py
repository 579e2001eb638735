"""The doctor's keys: for minutes, in memory, never somebody's."""

from gateway.keys.visitors import LIFETIME, MOST_VISITORS, Visitors

NOW = 1_764_000_000.0


def test_a_visitor_is_known_for_some_minutes():
    visitors = Visitors()
    token = visitors.admit(3, NOW)
    key = visitors.find(token, NOW + LIFETIME - 1)
    assert (key.accounts, key.is_visitor) == (frozenset({3}), True)
    assert visitors.find(token, NOW + LIFETIME) is None
    assert visitors.find(token, NOW) is None  # it is forgotten for good


def test_nobody_else_is_a_visitor():
    visitors = Visitors()
    for token in (None, "", "sk-cgw-x", "\u00fc", visitors.admit(None, NOW)[:-1]):
        assert visitors.find(token, NOW) is None


def test_there_are_never_many():
    visitors = Visitors()
    tokens = [visitors.admit(None, NOW) for _ in range(MOST_VISITORS + 1)]
    assert visitors.find(tokens[0], NOW) is None
    assert len({visitors.find(token, NOW).id for token in tokens[1:]}) == MOST_VISITORS
