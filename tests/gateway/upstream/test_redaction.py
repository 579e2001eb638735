"""What upstream quotes of a request is struck out of what the log may have."""

import asyncio
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.protocol.facts import Failure, LoggedError
from gateway.upstream.redaction import LARGEST_INLINE, LONGEST_QUOTE, redact, redacted

RUN = LONGEST_QUOTE + 1
# As upstream's words come out of `failures`: one printable line.
printable = st.characters(min_codepoint=32, exclude_categories=["C", "Z"])
said = st.text(printable | st.just(" "), min_size=1, max_size=60)
QUOTED = {
    "plain": str,
    "json": lambda text: json.dumps(text, ensure_ascii=False),
    "json, ASCII": json.dumps,
    "json twice": lambda text: json.dumps(json.dumps(text)),
    "python": repr,
    "python, ASCII": ascii,
    "upper case": str.upper,
    "lower case": str.lower,
    "wrapped": lambda text: text.replace(" ", "  "),
}


def logged(message, *said, **more):
    request = json.dumps({"model": "gpt", "input": list(said)}).encode()
    return redact(Failure("headers", "upstream", message, **more), request)


def runs(text):
    return {text[at : at + RUN] for at in range(len(text) - RUN + 1)}


@given(said, st.sampled_from(list(QUOTED.values())), said, st.booleans())
@example('a"b"c"d"efghijkl', json.dumps, "x", True)
@example("\U0001f600" * 12, ascii, "x", False)
@example("\U0001f600" * 12, json.dumps, "x", True)
def test_no_run_of_twelve_characters_that_was_said_is_left(
    text, quote, around, escaped
):
    request = json.dumps({"input": [around, text]}, ensure_ascii=escaped)
    message = " ".join(f"{around} {quote(text)} {around}".split())
    failure = Failure("headers", "upstream", message, code=text, param=quote(text))
    found = redact(failure, request.encode())
    for left in (found.message, found.code or "", found.param or ""):
        plain = {run for run in runs(text) if sum(map(str.isalnum, run)) >= 9}
        assert not plain & runs(left)


@given(said, st.sampled_from(list(QUOTED)))
def test_a_word_of_twelve_letters_is_gone_however_it_is_quoted(text, quoting):
    marker = "Zq7Kd93hTw1x"
    quote = QUOTED[quoting]
    found = logged(f"not {quote(f'{text} {marker}')}!", f"{text} {marker}").message
    assert marker.casefold() not in found.casefold()


def test_what_is_shorter_or_was_not_said_is_kept():
    message = "Unsupported parameter: max_things, see the guide"
    found = logged(message, "the max_things I want", code="unsupported_parameter")
    assert found == LoggedError("unsupported_parameter", None, None, message)


@pytest.mark.parametrize("known", ["context_length_exceeded", "rate_limit_error"])
def test_a_code_that_the_gateway_knows_is_kept_though_the_request_is_about_it(known):
    about = f"What does {known} mean, and what is unknown_to_all?"
    found = logged("It failed.", about, code=known, type=known)
    assert (found.code, found.type) == (known, known)
    found = logged("It failed.", about, code="unknown_to_all", type=f"a {known} of 2")
    assert (found.code, found.type) == ("[...]", "a[...]of 2")


@pytest.mark.parametrize("before", [0, 255, LARGEST_INLINE, 256 * 1024 - 9, 10**6])
def test_a_quotation_is_found_wherever_it_stands(before):
    """Also across the pieces in which large requests are looked through."""
    request = b"x" * before + b"my secret plan B" + b"y" * 300_000
    failure = Failure("headers", "upstream", "Bad value 'my secret plan B' here.")
    assert redact(failure, request).message == "Bad value '[...]' here."


@pytest.mark.parametrize("size", [0, LARGEST_INLINE])
def test_headers_are_of_the_request_too(size):
    failure = Failure("headers", "upstream", "No session 0199-my-thread-77.")
    headers = [("accept", "*/*"), ("session-id", "0199-my-thread-77")]
    found = asyncio.run(redacted(failure, b"x" * size, headers))
    assert found.logged.message.replace(" ", "") == "Nosession[...]."


def test_only_the_quotation_is_struck_out():
    found = logged("Bad value 'my secret plan B' here.", "(my secret plan B, go)")
    assert found.message == "Bad value '[...]' here."


@pytest.mark.parametrize("at", [0, 256 * 1024 - 20, 256 * 1024 - 5, 1_000_000])
def test_a_quotation_is_found_wherever_in_a_large_request_it_was(at):
    text = "x" * at + "the quick brown fox"
    assert logged("No the quick brown fox!", text).message == "No [...]!"


@given(st.binary(max_size=80), st.text(max_size=80))
def test_any_bytes_and_any_words_have_an_answer(request, message):
    failure = Failure("headers", "upstream", message, code=message[:9])
    assert isinstance(redact(failure, request).message, str)
