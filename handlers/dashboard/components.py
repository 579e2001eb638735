"""Pieces of pages as HTML, made of values; what they get is text, and is escaped.

Templates put them in with `{% raw %}`, and nothing else: each returns a `Html`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NewType

from tornado.escape import xhtml_escape

from gateway.sign_in.totp import qr_code
from handlers.dashboard.formats import (
    MISSING,
    age,
    milliseconds,
    percent_text,
    time_text,
    window_label,
)

__all__ = [
    "ago",
    "badge",
    "code_block",
    "copyable",
    "hidden_token",
    "level_of",
    "meter",
    "moment",
    "prose",
    "qr_picture",
    "state_badge",
    "timeline",
    "window_meter",
]

Html = NewType("Html", str)

# Shown by the script, which alone can copy.
_COPY_BUTTON = (
    '<button type="button" class="button button-small" data-copy hidden>Copy</button>'
)
_STATE_LEVELS = {
    "active": "good",
    "success": "good",
    "paused": "muted",
    "disabled": "muted",
    "interrupted": "muted",
    "expired": "muted",
    "error": "bad",
    "reauth_required": "bad",
    "token_ended": "bad",
}
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")  # of Markdown
# How full something may be, in its share, before an owner should look at it.
NEARLY_FULL = 0.75
FULL = 0.95


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a timeline, in ms from its start; the level as badges have it."""

    name: str
    begin_ms: float
    end_ms: float
    level: str = ""


def level_of(share: float) -> str:
    """The level of how much is used."""
    return "bad" if share >= FULL else "warn" if share >= NEARLY_FULL else "good"


def badge(text: str, level: str = "muted") -> Html:
    """A state: good, warn, bad, info or muted; its word and its shape tell it, too."""
    return Html(f'<span class="badge badge-{_word(level)}">{xhtml_escape(text)}</span>')


def state_badge(state: str) -> Html:
    """An account's, a key's or a request's state by its own word."""
    return badge(state.replace("_", " "), _STATE_LEVELS.get(state, "warn"))


def meter(
    share: float | None,
    label: str,
    *,
    text: str = "",
    level: str = "",
    mark: float = -1,
) -> Html:
    """A bar of how much is used, with its number beside it.

    `mark` is another share on the same bar: how much of the window has passed.
    """
    if share is None:
        return Html(f'<span class="muted">{MISSING}</span>')
    shown = min(max(share, 0), 1) * 100
    text, level = text or percent_text(share), level or level_of(share)
    bars = f"{_bar('meter-track', 100)}{_bar('meter-fill', shown)}"
    if mark >= 0:
        x = f"{min(mark, 1) * 100:.2f}"
        bars += f'<line class="meter-mark" x1="{x}" x2="{x}" y2="8"/>'
    return Html(
        f'<span class="meter-line"><span class="meter meter-{_word(level)}" '
        f'role="meter" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{shown:.0f}" aria-label="{xhtml_escape(label)}">'
        f"{_bars(bars)}</span>"
        f'<span class="meter-text">{xhtml_escape(text)}</span></span>'
    )


def window_meter(window: Mapping[str, Any], now: float, whose: str) -> Html:
    """How much of an account's window is used, and how much of it has passed.

    `window` as `/api/accounts` has it.
    """
    minutes, until = window["window_minutes"], window["resets_at"]
    passed = -1.0
    if minutes and until is not None and until > now:
        passed = min(max(1 - (until - now) / (minutes * 60), 0), 1)
    label = window_label(minutes, window["name"], window["limit"])
    return meter(window["used_percent"] / 100, f"{label} of {whose}, used", mark=passed)


def moment(seconds: float | None, zone: str) -> Html:
    """A time in the dashboard's zone, and for programs in UTC."""
    return _time(seconds, time_text(seconds, zone))


def ago(seconds: float | None, now: float, zone: str) -> Html:
    """How long ago or in how long; the time itself is its tooltip."""
    return _time(seconds, age(seconds, now), time_text(seconds, zone))


def _time(seconds: float | None, text: str, title: str = "") -> Html:
    try:
        exact = datetime.fromtimestamp(seconds or 0, UTC).isoformat("T", "seconds")
    except (OverflowError, ValueError, OSError):
        seconds = None
    if seconds is None:
        return Html(f'<span class="muted">{MISSING}</span>')
    titled = f' title="{title}"' if title else ""
    return Html(f'<time datetime="{exact}"{titled}>{text}</time>')


def copyable(text: str) -> Html:
    """A short text that is often needed elsewhere, with a button that copies it."""
    code = f"<code>{xhtml_escape(text)}</code>"
    return Html(f'<span class="copyable">{code}{_COPY_BUTTON}</span>')


def code_block(text: str, label: str = "") -> Html:
    """Lines to be copied as they stand."""
    name = f' aria-label="{xhtml_escape(label)}"' if label else ""
    return Html(
        f'<div class="code"><pre tabindex="0"{name}><code>{xhtml_escape(text)}'
        f"</code></pre>{_COPY_BUTTON}</div>"
    )


def hidden_token(xsrf: str) -> Html:
    """What every form sends back to show that it is one of our pages'."""
    return Html(f'<input type="hidden" name="xsrf" value="{xhtml_escape(xsrf)}">')


def prose(words: str) -> Html:
    """What a document says, as a sentence: its code as such, its links as words."""
    plain = xhtml_escape(_LINK.sub(r"\1", words)).split("`")
    if len(plain) % 2 == 0:  # a code that never ends
        plain = ["`".join(plain)]
    begin, *others = plain
    texts = [
        f"<code>{text}</code>" if number % 2 == 0 else text
        for number, text in enumerate(others)
    ]
    end = "" if words.endswith((".", "?")) else "."
    return Html("".join([begin[:1].upper() + begin[1:], *texts]) + end)


def qr_picture(secret: str, name: str) -> Html:
    """What an authenticator scans to make a user's codes."""
    return Html(qr_code(secret, name))


def timeline(phases: Iterable[Stretch]) -> Html:
    """Stretches below each other on one scale, each with its length."""
    phases = list(phases)
    whole = max((phase.end_ms for phase in phases), default=0) or 1
    lines = "".join(_phase(phase, whole) for phase in phases)
    return Html(f'<ol class="timeline">{lines}</ol>')


def _phase(phase: Stretch, whole: float) -> str:
    begin = min(max(phase.begin_ms / whole, 0), 1) * 100
    # Even a moment is seen.
    width = min(max((phase.end_ms - phase.begin_ms) / whole * 100, 0.4), 100)
    begin = min(begin, 100 - width)
    level = f' class="phase-{_word(phase.level)}"' if phase.level else ""
    return (
        f'<li{level}><span class="phase-name">{xhtml_escape(phase.name)}</span>'
        f"{_bars(_bar('phase-track', 100) + _bar('phase-bar', width, begin))}"
        f'<span class="phase-time">{milliseconds(phase.end_ms - phase.begin_ms)}</span>'
        "</li>"
    )


def _bars(bars: str) -> str:
    """A picture of bars that is as wide as there is room, for eyes only."""
    return (
        '<svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f"{bars}</svg>"
    )


def _bar(kind: str, width: float, begin: float = 0) -> str:
    return f'<rect class="{kind}" x="{begin:.2f}" width="{width:.2f}" height="8"/>'


def _word(level: str) -> str:
    """A level of our own: part of a class's name."""
    assert level.isalpha(), level
    return level
