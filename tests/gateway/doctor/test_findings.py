"""Each thing the doctor may meet becomes one finding with the line that mends it."""

import os
import time
from dataclasses import replace
from email.utils import formatdate
from typing import cast

import pytest
from aiohttp import ClientSession

from gateway.accounts.account import Account, Credentials
from gateway.accounts.health import TOKEN_ENDED, Mark
from gateway.admission.client_address import is_loopback
from gateway.doctor import client_checks, local_checks
from gateway.doctor.client import Visit, incompressible_body
from gateway.doctor.findings import Level
from gateway.secret import Secret
from gateway.settings import Settings

NOW = time.time()
PUBLIC = Visit(cast(ClientSession, None), "https://gw.example", "sk-cgw-x")
SEEN = {
    "peer": "127.0.0.1",
    "client_address": "203.0.113.9",
    "is_peer_trusted": True,
    "is_https": True,
    "has_underscores": True,
    "forwarded_for": True,
    "forwarded_proto": "https",
}


def fixes(findings):
    return {finding.check: finding.fix for finding in findings if finding.fix}


def test_a_request_that_arrives_well_needs_nothing():
    (finding,) = client_checks._arrival(PUBLIC, SEEN)
    assert finding.level is Level.OK


@pytest.mark.parametrize(
    ("seen", "fix"),
    [
        ({"is_peer_trusted": False}, {"proxy": "GATEWAY_TRUSTED_PROXIES=127.0.0.1"}),
        (
            {"is_https": False},
            {"proxy": "proxy_set_header X-Forwarded-Proto $scheme;"},
        ),
        (
            {"forwarded_for": False, "forwarded_proto": None, "is_https": True},
            {"proxy": "proxy_set_header X-Forwarded-For $remote_addr;"},
        ),
        ({"has_underscores": False}, {"headers": "underscores_in_headers on;"}),
    ],
)
def test_what_a_proxy_leaves_out_is_named(seen, fix):
    assert fixes(client_checks._arrival(PUBLIC, SEEN | seen)) == fix


def test_a_proxy_that_makes_everybody_look_local_is_a_failure():
    seen = SEEN | {"forwarded_for": False, "forwarded_proto": None}
    assert client_checks._arrival(PUBLIC, seen)[0].level is Level.FAIL


def test_a_gateway_on_this_machine_needs_no_forwarding_headers():
    local = Visit(None, "http://127.0.0.1:2455", None)
    seen = SEEN | {"forwarded_for": False, "forwarded_proto": None, "is_https": False}
    assert fixes(client_checks._arrival(local, seen)) == {}


@pytest.mark.parametrize(("seconds", "level"), [(0, "ok"), (-60, "warn"), (60, "warn")])
def test_clocks_that_differ_are_told(seconds, level):
    finding = client_checks._clock(formatdate(time.time() + seconds, usegmt=True))
    assert finding.level == level


def test_a_date_that_is_none_is_no_crash():
    assert client_checks._clock("").level is Level.WARN
    assert client_checks._clock("yesterday").level is Level.WARN


def test_the_large_body_is_large_on_the_wire():
    assert len(incompressible_body()) >= 8 * 1024 * 1024


@pytest.mark.parametrize(
    ("host", "local"),
    [
        *(("127.0.0.1", True), ("127.9.9.9", True), ("::1", True)),
        *(("localhost", True), ("0.0.0.0", False), ("", False)),
        *(("192.168.0.7", False), ("localhost.example", False)),
    ],
)
def test_what_counts_as_this_machine(host, local):
    assert is_loopback(host) is local


# --- at home


def account(**facts):
    expires_at = facts.pop("expires_at", NOW + 7200)
    made = Account(1, "ada", credentials=Credentials(expires_at=expires_at))
    for name, value in facts.items():
        setattr(made.health, name, value)
    return made


@pytest.mark.parametrize(
    ("facts", "level", "fix"),
    [
        ({}, "ok", ""),
        ({"expires_at": None}, "ok", ""),
        ({"expires_at": NOW - 5}, "warn", "python run.py accounts probe 'ada'"),
        ({"paused": True}, "warn", "python run.py accounts resume 'ada'"),
        ({"login_reason": "revoked"}, "fail", "python run.py accounts login"),
        ({"mark": Mark("refused", "its usage", "no", NOW, NOW + 60)}, "warn", ""),
    ],
)
def test_an_account_that_is_not_well_says_why_and_what_to_do(facts, level, fix):
    (finding,) = local_checks.logins([account(**facts)], NOW)
    assert (finding.level, finding.fix) == (level, fix)
    assert "ada" in finding.check


def test_no_account_at_all_is_a_failure():
    (finding,) = local_checks.logins([], NOW)
    assert "accounts import" in finding.fix


@pytest.fixture
def settings(tmp_path):
    made = Settings.from_env(dotenv=os.devnull)
    return replace(made, data_dir=tmp_path / "data")


def test_every_file_that_others_may_read_is_named(settings):
    folder = settings.data_dir
    assert local_checks.private_files(settings)[0].level is Level.WARN  # not there yet
    folder.mkdir(mode=0o700)
    (folder / "gateway.db").touch(0o600)
    (folder / "gone").symlink_to(folder / "nowhere")
    assert [f.level for f in local_checks.private_files(settings)] == [Level.OK]
    (folder / "admin.token").touch(0o600)
    (folder / "admin.token").chmod(0o640)
    folder.chmod(0o755)
    assert [f.fix for f in local_checks.private_files(settings)] == [
        f"chmod 700 {folder}",
        f"chmod 600 {folder / 'admin.token'}",
    ]


def test_the_disk_is_measured_where_the_data_will_be(settings):
    (finding,) = local_checks.disk_space(settings)
    assert "MiB free" in finding.message


URL = "https://gw.example"


@pytest.mark.parametrize(
    ("provider", "level"),
    [
        ('name = "gateway"\nbase_url = "https://gw.example/backend-api/codex"', "ok"),
        ('name = "OpenAI"\nbase_url = "https://gw.example/backend-api/codex"', "ok"),
        (
            'name = "OpenAI"\nrequires_openai_auth = true\n'
            'base_url = "https://gw.example/backend-api/codex/"',
            "fail",
        ),
        (
            'name = "OpenAI"\nrequires_openai_auth = true\n'
            'base_url = "https://gw.example/backend-api/codex/v1"',
            "ok",
        ),
    ],
)
def test_the_name_trap_is_found_in_a_users_file(tmp_path, provider, level):
    (tmp_path / "config.toml").write_text(f"[model_providers.x]\n{provider}\n")
    (finding,) = local_checks.codex_configuration(tmp_path, {URL})
    assert finding.level == level


@pytest.mark.parametrize(
    "text", ["", "model_providers = 3", "[model_providers]\nx = 1"]
)
def test_a_file_without_such_a_provider_says_nothing(tmp_path, text):
    assert local_checks.codex_configuration(tmp_path, {URL}) == []  # no file
    (tmp_path / "config.toml").write_text(text)
    assert local_checks.codex_configuration(tmp_path, {URL}) == []


def test_a_broken_file_is_told(tmp_path):
    (tmp_path / "config.toml").write_text("model = ")
    assert local_checks.codex_configuration(tmp_path, {URL})[0].level is Level.FAIL


def test_an_access_token_is_told_of_before_and_after_its_end():
    account = Account(1, "robot")
    account.credentials = Credentials(access_token=Secret("at-x"))

    def told(hours):
        ends = None if hours is None else NOW + hours * 3600
        account.credentials = replace(account.credentials, expires_at=ends)
        (finding,) = local_checks.logins([account], NOW)
        return finding.level, finding.message

    assert told(None) == (Level.OK, "active")
    assert told(500) == (Level.OK, "active, its token lasts 500 hours more")
    soon = "its access token ends in 20 hours and is not renewed"
    assert told(20) == (Level.WARN, soon)
    assert told(-1) == (Level.WARN, "its access token has ended and is not renewed")
    account.health.require_login(TOKEN_ENDED, "its usage")
    ended = "its access token has ended, says its usage"
    assert told(500) == (Level.FAIL, ended)


def member(number, **changed):
    return {"id": number, "is_behind": False, "version": "1.0", "turns": 0, **changed}


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ({}, ["2 processes serve"]),
        ({"is_behind": True}, ["does not hold at member 2"]),
        ({"turns": None}, ["member 2 cannot be asked"]),
        ({"version": "1.1", "turns": None}, ["member 2 cannot", "together: 1.0, 1.1"]),
    ],
)
def test_what_keeps_members_apart_is_named(second, told):
    found = local_checks.members([member(1), member(2, **second)])
    for finding, words in zip(found, told, strict=True):
        assert words in finding.message
        assert finding.level is (Level.WARN if second else Level.OK)


def test_one_process_alone_is_no_finding():
    assert local_checks.members([]) == local_checks.members([member(1)]) == []
