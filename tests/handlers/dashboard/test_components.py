"""Pieces of pages: everything given to them is text."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.dashboard import components

ATTACKS = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "'&<b>"]
NOW, ZONE = 1_800_000_000, "UTC"


class Parsed(HTMLParser):
    """The elements and the text of a piece."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.open, self.text = [], {}, [], ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= dict(attrs)
        if tag != "input":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def pieces(text):
    return [
        components.badge(text, "bad"),
        components.meter(0.5, text, text=text),
        components.copyable(text),
        components.code_block(text, text),
        components.hidden_token(text),
        components.prose(text),
        components.timeline([components.Stretch(text, 0, 5)]),
    ]


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_comes_from_outside_is_text(attack):
    for piece, harmless in zip(pieces(attack), pieces("x"), strict=True):
        found = Parsed(piece)
        assert found.tags == Parsed(harmless).tags
        assert attack in found.text or attack in found.attributes.values()
        assert not any(name.startswith(("on", "style")) for name in found.attributes)


@given(st.text())
def test_any_text_leaves_whole_html(text):
    for piece in pieces(text):
        Parsed(piece)


def test_a_meter_says_its_number_and_its_level():
    assert Parsed(components.meter(0.62, "5 hours")).text == "62 %"
    for share, level in ((0, "good"), (0.75, "warn"), (0.95, "bad"), (7, "bad")):
        assert f"meter-{level}" in components.meter(share, "x")
    assert 'width="100.00"' in components.meter(7, "x")
    assert 'aria-valuenow="100"' in components.meter(7, "x")
    assert "<svg" not in components.meter(None, "x")


def test_a_window_shows_what_is_used_and_what_has_passed():
    window = {
        "name": "primary",
        "limit": None,
        "used_percent": 62.0,
        "window_minutes": 300,
        "resets_at": NOW + 4500,
    }
    shown = components.window_meter(window, NOW, "<ada>")
    assert 'aria-label="5 h of &lt;ada&gt;, used"' in shown
    assert 'class="meter-mark" x1="75.00"' in shown
    over = components.window_meter(window | {"resets_at": NOW - 1}, NOW, "ada")
    unknown = components.window_meter(window | {"window_minutes": None}, NOW, "ada")
    assert "meter-mark" not in over + unknown


def test_a_state_keeps_its_word():
    assert "badge-good" in components.state_badge("active")
    assert "badge-bad" in components.state_badge("reauth_required")
    assert Parsed(components.state_badge("reauth_required")).text == "reauth required"
    assert "badge-warn" in components.state_badge("of a later release's")


def test_a_time_is_exact_for_programs_and_short_for_people():
    shown = Parsed(components.ago(NOW - 125, NOW, ZONE))
    assert shown.text == "2 min ago"
    assert shown.attributes["datetime"] == "2027-01-15T07:57:55+00:00"
    assert shown.attributes["title"] == "2027-01-15 07:57:55"
    assert Parsed(components.moment(NOW, "Europe/Berlin")).text == "2027-01-15 09:00:00"
    for nothing in (None, 1e300):
        assert Parsed(components.moment(nothing, ZONE)).text == "—"


def test_phases_lie_on_one_scale():
    stretches = [
        components.Stretch("waited", 0, 1_000, "wait"),
        components.Stretch("answer", 1_000, 4_000),
        components.Stretch("moment", 4_000, 4_000),
    ]
    shown = components.timeline(stretches)
    assert 'x="0.00" width="25.00"' in shown
    assert 'x="25.00" width="75.00"' in shown
    assert 'x="99.60" width="0.40"' in shown
    assert "3.0 s" in Parsed(shown).text
    assert Parsed(components.timeline([])).text == ""


@pytest.mark.parametrize(
    ("words", "html"),
    [
        ("wait, or `run.py x <y>`", "Wait, or <code>run.py x &lt;y&gt;</code>."),
        ("see [the rules](rules.md)", "See the rules."),
        ("`a` and `b`", "<code>a</code> and <code>b</code>."),
        ("a ` that never ends.", "A ` that never ends."),
        ("<b>", "&lt;b&gt;."),
    ],
)
def test_a_document_s_words_are_a_sentence(words, html):
    assert components.prose(words) == html
