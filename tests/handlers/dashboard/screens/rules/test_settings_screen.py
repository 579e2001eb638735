"""What is set in the database and what the environment rules, on one page."""

import os
from dataclasses import fields, replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.admin.reports import audit_rows
from gateway.repository.options import shown_rules
from gateway.secret import Secret
from gateway.settings import Settings
from gateway.sign_in.users import Role
from handlers.dashboard.screens.rules.environment import (
    Declared,
    environment_settings,
    parsed_default,
)
from tests.handlers.dashboard.browsing import signed_in
from tests.handlers.dashboard.screens.forms import fill, form_of, send

SETTINGS = "/dashboard/settings"
DEFAULTS = Settings.from_env(dotenv=os.devnull)


def shown(**changes):
    told = environment_settings(replace(DEFAULTS, **changes))
    return {one.name: one for one in told}


def test_every_setting_is_shown_with_its_default_and_meaning():
    told = shown()
    assert {name.removeprefix("GATEWAY_").lower() for name in told} == {
        field.name for field in fields(Settings)
    }
    assert [one for one in told.values() if not one.is_default] == []
    assert [one for one in told.values() if not one.meaning] == []
    port = told["GATEWAY_PORT"]
    assert (port.value, port.default) == ("2455", "2455")
    assert port.meaning == "port; 0 lets the system choose"
    assert told["GATEWAY_WEBSOCKETS"].value == "on"
    assert told["GATEWAY_CONNECT_TIMEOUT"].value == "8"


def test_what_differs_is_told_apart():
    told = shown(
        port=1,
        websockets=False,
        trusted_proxies=(ip_network("10.0.0.0/8"), ip_network("::1/128")),
        prices=Path("/srv/prices.json"),
    )
    changed = {one.name: one.value for one in told.values() if not one.is_default}
    assert changed == {
        "GATEWAY_PORT": "1",
        "GATEWAY_WEBSOCKETS": "off",
        "GATEWAY_TRUSTED_PROXIES": "10.0.0.0/8, ::1/128",
        "GATEWAY_PRICES": "/srv/prices.json",
    }


def test_of_a_secret_only_that_it_is_set_is_told():
    secrets = {
        field.name: Secret("hush-hush")
        for field in fields(Settings)
        if "Secret" in str(field.type)
    }
    assert len(secrets) > 5
    told = shown(
        **secrets,
        database_url="postgresql://ada:hush-hush@db.example:5433/gateway",
        database_direct_url="postgresql://ada:hush-hush@db.example/gateway",
        upstream_base_url="https://ada:hush-hush@up.example/api",
    )
    assert "hush" not in str(list(told.values()))
    for name in secrets:
        assert told[f"GATEWAY_{name.upper()}"].value == "set"
    assert told["GATEWAY_DATABASE_URL"].value == "PostgreSQL gateway at db.example:5433"
    assert told["GATEWAY_UPSTREAM_BASE_URL"].value == "https://up.example/api"


def test_a_default_that_this_machine_has_not_is_none():
    declared = Declared("GATEWAY_X", "folder", "~nobody-of-that-name/x")
    assert parsed_default(declared) is None


@pytest.mark.gen_test(timeout=20)
async def test_a_viewer_reads_them_and_changes_nothing(serving):
    viewer = await signed_in(serving, Role.VIEWER)
    page = await viewer.get(SETTINGS)
    assert page.status == 200
    assert "GATEWAY_HOST" in page.text
    assert "fill first" in page.text
    assert "textarea" not in page.tags
    sent = [("xsrf", page.fields["xsrf"]), ("strategy", "round_robin")]
    assert (await send(viewer, SETTINGS, sent)).status == 403
    assert serving.gateway.pool.strategy == "fill_first"


@pytest.mark.gen_test(timeout=20)
async def test_an_operator_changes_what_the_database_has(serving):
    browser = await signed_in(serving, Role.OPERATOR, "olga")
    seen = await fill(
        browser, SETTINGS, strategy="round_robin", aliases="nano=gpt-5.5\n\n a=b "
    )
    assert seen.status == 200
    for words in ("fill_first", "round_robin", "nano=gpt-5.5", "a=b", "none"):
        assert words in seen.text
    assert serving.gateway.pool.strategy == "fill_first"
    done = await send(browser, SETTINGS, form_of(seen, having="seen"))
    assert (done.status, done.headers["location"]) == (303, SETTINGS)
    gateway = serving.gateway
    assert gateway.pool.strategy == "round_robin"
    assert shown_rules(gateway.rules)["aliases"] == ["nano=gpt-5.5", "a=b"]
    rows = await gateway.store.read(audit_rows, {"limit": 2}, 0)
    assert [(row["actor"], row["target"]) for row in rows] == [
        ("user:olga", "rules"),
        ("user:olga", "strategy"),
    ]


@pytest.mark.gen_test(timeout=20)
async def test_a_mistake_in_an_alias_is_told_at_its_field(serving):
    browser = await signed_in(serving)
    wrong = await fill(browser, SETTINGS, aliases="<script>=gpt")
    assert wrong.status == 400
    assert "alias" in wrong.html.partition('class="field-error">')[2]
    assert "<script>=" not in wrong.html
    assert dict(form_of(wrong, having="aliases"))["aliases"] == "<script>=gpt"
    none = await fill(browser, SETTINGS)
    assert "Nothing would change" in none.text
    unknown = await fill(browser, SETTINGS, strategy="dice")
    assert unknown.status == 400
