"""A user's config.toml is changed in one place and nowhere else."""

import stat
import tomllib

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.codex_config import (
    CannotPatch,
    Provider,
    has_chatgpt_login,
    patch,
    write_config,
)

LOCAL = Provider("http://127.0.0.1:2455")
FILE = """\
# my settings
model = "gpt-5.5"
model_provider = "openai" # for now

[model_providers.other]
name = "Other"
base_url = "https://other.example" # stays

[ model_providers . "gateway" ]
name = "old"
[model_providers.gateway.http_headers]
x-api-key = "old"

[mcp_servers.docs]
command = "x"
args = [
  "[not a table]",
]
"""


def test_all_else_stays_comments_too():
    after = patch(FILE, LOCAL)
    read, before = tomllib.loads(after), tomllib.loads(FILE)
    assert read["model_provider"] == "gateway"
    assert read["model_providers"]["gateway"] == LOCAL.table()
    assert read["model_providers"]["other"] == before["model_providers"]["other"]
    assert read["mcp_servers"] == before["mcp_servers"]
    for comment in ("# my settings", "# stays"):
        assert comment in after
    assert "old" not in after


def test_a_second_patch_changes_nothing_more():
    once = patch(FILE, LOCAL)
    assert patch(once, LOCAL) == once


def test_codex_signs_in_by_itself_with_no_other_credential():
    url = "https://gw.example"
    provider = Provider(url, key="sk-cgw-x", has_login=True, signs_in=True)
    earlier = patch(FILE, provider)
    table = tomllib.loads(earlier)["model_providers"]["gateway"]
    assert table.pop("gateway_oauth") == {
        "authorization_url": f"{url}/oauth/authorize",
        "token_url": f"{url}/oauth/token",
        "device_authorization_url": f"{url}/oauth/device",
        "client_id": "codex",
        "scopes": ["gateway"],
        "credentials_store": "file",
    }
    assert table == {
        "name": "gateway",
        "base_url": f"{url}/backend-api/codex",
        "wire_api": "responses",
        "supports_websockets": True,
        # A person has to read and type within it.
        "websocket_connect_timeout_ms": 120_000,
    }
    # And back again.
    assert "gateway_oauth" not in patch(earlier, LOCAL)


def test_what_codex_takes_no_sign_in_with_is_told(commands):
    far = commands("codex-config", "--sign-in", "--url", "http://gw.example")
    assert (far.status, "needs an https address" in far.err) == (2, True)
    both = commands("codex-config", "--sign-in", "--key", "sk-cgw-x")
    assert (both.status, "--sign-in is without --key" in both.err) == (2, True)
    env = {"GATEWAY_API_KEY": "sk-cgw-x"}
    out = commands.good("codex-config", "--sign-in", **env).out
    assert "/oauth/device" in out
    assert "sk-cgw-x" not in out


def test_a_key_goes_beside_the_logins_own_token():
    provider = Provider("https://gw.example", key="sk-cgw-x", has_login=True)
    read = tomllib.loads(patch("", provider))["model_providers"]["gateway"]
    assert read["http_headers"] == {"x-api-key": "sk-cgw-x"}
    assert read["requires_openai_auth"] is True
    assert read["base_url"] == "https://gw.example/backend-api/codex"


def test_the_name_that_switches_features_on_goes_with_the_path_where_it_is_safe():
    table = Provider("https://gw.example", is_full=True).table()
    assert table["name"] == "OpenAI"
    assert table["base_url"] == "https://gw.example/backend-api/codex/v1"
    assert LOCAL.table()["name"] != "OpenAI"


@pytest.mark.parametrize(
    "text",
    [
        "model = ",
        'model_providers = { x = { name = "X" } }',
        "model_providers = 3",
        'model_providers.gateway.name = "dotted"',
        '[model_providers]\ngateway = { name = "inline" }',
        'note = """\nmodel_provider = "in a text"\n"""',
        'note = """\n[model_providers.gateway]\n"""\n',
    ],
)
def test_what_cannot_be_changed_safely_is_not_changed(text):
    with pytest.raises(CannotPatch):
        patch(text, LOCAL)


KEYS = st.sampled_from(["model", "model_provider", "a", "b"])
VALUES = st.one_of(
    st.integers(0, 9).map(str),
    st.sampled_from(['"x"', '"[y]"', "'''\n[z]\n'''", "[1,\n2]", '{ c = "#" }']),
)
LINES = st.one_of(
    st.tuples(KEYS, VALUES).map(lambda kv: f"{kv[0]} = {kv[1]}"),
    st.sampled_from(
        [
            *("", "# comment", "[t]", "[[l]]", "[model_providers.x]"),
            *("[model_providers.gateway]", '[model_providers."gateway".http_headers]'),
        ]
    ),
)


@given(st.lists(LINES, max_size=12).map("\n".join))
def test_a_patched_file_says_what_it_said_and_the_provider_or_is_refused(text):
    try:
        after = tomllib.loads(patch(text, LOCAL))
    except CannotPatch:
        return
    before = tomllib.loads(text)
    assert after.pop("model_provider") == "gateway"
    assert after["model_providers"].pop("gateway") == LOCAL.table()
    before.pop("model_provider", None)
    before.setdefault("model_providers", {}).pop("gateway", None)
    assert after == before


def test_the_old_file_is_copied_and_both_are_the_owners_alone(tmp_path):
    path = tmp_path / ".codex" / "config.toml"
    assert write_config(path, LOCAL) is None
    kept = write_config(path, Provider("http://127.0.0.1:1", key="k"))
    assert "127.0.0.1:2455" in kept.read_text()
    for file in (path, kept):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(list(path.parent.iterdir())) == 2


def test_what_the_owner_had_survives_two_changes_in_a_second(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('model = "mine"\n')
    for port in range(1, 4):
        write_config(path, Provider(f"http://127.0.0.1:{port}"))
    kept = [one.read_text() for one in tmp_path.glob("*.bak")]
    assert 'model = "mine"\n' in kept


def test_a_link_to_a_file_elsewhere_stays_a_link(tmp_path):
    target, link = tmp_path / "dotfiles.toml", tmp_path / "config.toml"
    target.write_text("")
    link.symlink_to(target)
    write_config(link, LOCAL)
    assert link.is_symlink()
    assert "gateway" in target.read_text()


def test_a_file_that_is_refused_is_untouched_and_the_lines_are_shown(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("model = ")
    with pytest.raises(click.ClickException) as refused:
        write_config(path, LOCAL)
    assert "[model_providers.gateway]" in refused.value.message
    assert path.read_text() == "model = "
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "expected"),
    [('{"tokens": {}}', True), ('{"OPENAI_API_KEY": "k"}', False), ("{", False)],
)
def test_a_login_is_told_from_a_key(tmp_path, text, expected):
    (tmp_path / "auth.json").write_text(text)
    assert has_chatgpt_login(tmp_path) is expected
    assert not has_chatgpt_login(tmp_path / "nowhere")
