"""`run.py help`: what the shipped documents say."""

import pytest

from gateway.admin.explained.documents import ROOT, described, section
from gateway.cli.guide.exit_status import MEANINGS
from gateway.cli.guide.topics import TOPICS


@pytest.mark.parametrize("name", TOPICS)
def test_a_topic_is_a_part_of_the_documents(commands, name):
    topic = TOPICS[name]
    text = commands.good("help", name).out.rstrip("\n")
    assert text.count("\n") > 3
    assert text in (ROOT / topic.document).read_text()
    assert len(f"  {'notifications'}  {topic.summary}") < 80
    assert f"  {name} " in commands.good("help").out


def test_a_section_ends_where_the_next_of_its_depth_begins():
    text = section("docs/operating.md", "Restarts")
    assert "### systemd" in text
    assert "## The record" not in text
    assert section("README.md", "Use it").count("# ~/.codex/config.toml") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("GATEWAY_PORT", ["**GATEWAY_PORT**", "default: `2455`", "meaning: port"]),
        ("GATEWAY_API_KEY", ["`doctor` asks with it"]),
        ("GATEWAY_ADMIN_TOKEN", ["that `--url` names"]),
        ("login_required", ["status: ", "cause: ", "fix: ", "whose: "]),
        ("invalid_request_error", ["status: 400", "status: 405"]),
        ("keys rotate", ["Usage: run.py keys rotate", "Examples:"]),
        ("explain", ["Usage: run.py explain"]),
    ],
)
def test_a_setting_a_code_and_a_command_are_topics_too(commands, words, told):
    text = commands.good("help", *words.split()).out
    assert [one for one in told if one not in text] == []


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("limit", "limits"),
        ("GATEWAY_PROT", "GATEWAY_PORT"),
        ("insuficient_quota", "insufficient_quota"),
        ("exit_codes", "exit-codes"),
        ("keys rotat", "rotate"),
        ("quick", "quickstart"),
    ],
)
def test_an_unknown_topic_is_told_the_nearest(commands, words, meant):
    done = commands("help", *words.split())
    assert (done.status, f"Did you mean '{meant}'" in done.err) == (2, True)
    assert done.err.endswith("`run.py help` lists them.\n")


def test_help_needs_no_settings_and_makes_nothing(commands):
    assert commands.good("help", "limits", GATEWAY_PORT="http").out
    assert commands.good("completion", "show", "zsh", GATEWAY_PORT="http").out
    assert not commands.data_dir.exists()


def test_every_code_and_setting_has_a_row_with_words():
    found = described()
    assert len(found) > 60
    assert all(len(row) >= 3 for rows in found.values() for row in rows)


def test_the_exit_codes_are_those_of_the_document():
    text = section("docs/operating.md", "Exit codes")
    rows = "".join(f"| {status} | {words} |\n" for status, words in MEANINGS.items())
    assert f"| status | when |\n| --- | --- |\n{rows}" in text
