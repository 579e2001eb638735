"""What is news, what is over, and when it may be told anew."""

from gateway.notifications.alerts import Alert, Condition
from gateway.notifications.marks import Marks

NOW = 1_000.0


def alert(**rules):
    return Alert("e", "", "", lambda seen: (), **rules)


def news(marks, what, level=1, *, now=NOW, scope="s"):
    return marks.is_news(what, Condition(scope, {}, level), now)


def over(marks, what, *held, now=NOW + 1):
    return list(marks.end(what, [Condition(one, {}) for one in held], now))


def test_an_event_is_told_once_a_scope_until_it_is_over():
    marks, what = Marks([], NOW), alert()
    assert news(marks, what)
    assert not news(marks, what)
    assert news(marks, what, scope="t")
    assert over(marks, what, "s", "t") == []
    assert over(marks, what, "s") == [("e", "t")]
    assert news(marks, what, scope="t")


def test_a_higher_level_is_news_and_a_lower_one_is_not():
    marks, what = Marks([], NOW), alert()
    assert [news(marks, what, level) for level in (0, 80, 80, 100, 90, 0)] == [
        *(False, True, False, True, False, False)
    ]


def test_what_an_earlier_process_told_is_not_told_again():
    marks, what = Marks([("e", "s", 80), ("e", "s", 90)], NOW), alert()
    assert not news(marks, what, 90)
    assert news(marks, what, 100)


def test_a_moments_trouble_is_not_told():
    marks, what = Marks([], NOW), alert(holds_for=5)
    assert not news(marks, what)
    assert not news(marks, what, now=NOW + 4.9)
    assert news(marks, what, now=NOW + 5)
    assert over(marks, what, now=NOW + 6) == [("e", "s")]
    assert not news(marks, what, now=NOW + 7)
    assert over(marks, what, now=NOW + 8) == []
    assert not news(marks, what, now=NOW + 12)  # it began anew
    assert news(marks, what, now=NOW + 17)


def test_it_has_to_be_over_for_a_while():
    marks, what = Marks([("e", "s", 1)], NOW), alert(rearms_after=60)
    assert over(marks, what, now=NOW + 59) == []
    assert not news(marks, what, now=NOW + 59)
    assert over(marks, what, now=NOW + 118) == []
    assert over(marks, what, now=NOW + 119) == [("e", "s")]
    assert news(marks, what, now=NOW + 119)


def test_what_came_up_while_one_was_looking_is_not_over():
    marks, what = Marks([], NOW), alert()
    news(marks, what, now=NOW + 5)
    assert over(marks, what, now=NOW + 4) == over(marks, what, now=NOW + 5) == []
    assert over(marks, what, now=NOW + 6) == [("e", "s")]


def test_one_event_ends_no_other():
    marks = Marks([("other", "s", 1)], NOW)
    assert over(marks, alert()) == []
    assert not marks.is_news(
        Alert("other", "", "", lambda seen: ()), Condition("s", {}), NOW
    )
