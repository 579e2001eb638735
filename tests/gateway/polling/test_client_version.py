"""Which client versions are believed."""

import pytest

from gateway.polling.client_version import (
    MOST_MINOR_AHEAD,
    NEWEST_KNOWN,
    ClientVersion,
    believed_version,
)

FURTHEST = NEWEST_KNOWN.minor + MOST_MINOR_AHEAD


@pytest.mark.parametrize(
    "agent",
    [
        "codex_exec/0.172.3 (Debian 12.0.0; x86_64) xterm (codex_exec; 0.172.3)",
        "codex_vscode/0.172.3 (Debian 12.0.0; x86_64) xterm (codex_vscode; 1.0)",
        "codex-tui/0.172.3",
        "codex_cli_rs/0.172.3 (Mac OS 15)",
    ],
)
def test_a_codex_client_is_believed(agent):
    assert believed_version(agent) == ClientVersion(0, 172, 3)


@pytest.mark.parametrize(
    "agent",
    [
        "",
        "curl/0.172.3",
        "my codex_exec/0.172.3",
        "codex_other/0.172.3",
        "codex_exec/0.172",
        "codex_exec/0.172.3.4",
        "codex_exec/0.172.3-alpha.1 (Debian)",
        "codex_exec/0.172.3&x=y",
        "codex_exec/1.0.0",
        f"codex_exec/0.{FURTHEST + 1}.0",
        "codex_exec/0." + "9" * 40 + ".0",
    ],
)
def test_nothing_else_is(agent):
    assert believed_version(agent) is None


def test_a_version_may_be_so_far_ahead_and_no_further():
    assert MOST_MINOR_AHEAD == 30
    version = believed_version(f"codex_exec/0.{FURTHEST}.0")
    assert str(version) == f"0.{FURTHEST}.0"
