"""`codex-config` writes what the real Codex CLI then works with."""

import json
from pathlib import Path

import pytest

from gateway.demo.accounts import DemoAccount

pytestmark = [pytest.mark.slow, pytest.mark.gen_test(timeout=90)]
GREETING = "Hello from the scripted upstream. You said: good morning"


async def write_config(gateway, cli, *options):
    return await gateway.run(
        *("codex-config", "--codex-home", str(cli.home), "--write", *options)
    )


@pytest.mark.parametrize("has_login", [True, False], ids=["login", "no-login"])
@pytest.mark.parametrize("full", [True, False], ids=["full", "plain"])
async def test_codex_works_with_what_was_written(
    gateway, codex, upstream, has_login, full
):
    cli = codex()
    if has_login:
        cli.login_with_tokens(DemoAccount("user").auth_document())
    key = await gateway.create_key("laptop")
    await write_config(gateway, cli, "--key", key, *(["--full"] if full else []))
    run = await cli.exec("good morning", "-m", "gpt-5.5")
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == GREETING
    assert "failed to refresh available models" not in run.stderr
    (turn,) = upstream.of("responses")
    assert turn.account == "one"


async def test_without_a_key_a_local_codex_works(gateway, codex):
    cli = codex()
    await write_config(gateway, cli)
    run = await cli.exec("good morning", "-m", "gpt-5.5")
    assert run.stdout.strip() == GREETING, run.stderr


async def test_a_wrong_key_is_refused_whatever_login_codex_has(gateway, codex):
    cli = codex()
    cli.login_with_tokens(DemoAccount("user").auth_document())
    await gateway.create_key("laptop")
    await write_config(gateway, cli, "--key", "sk-cgw-wrong")
    # Its own retries, each with a try to refresh its login, take most of a minute.
    retries = ("stream_max_retries=0", "request_max_retries=0")
    options = [f"-cmodel_providers.gateway.{one}" for one in retries]
    run = await cli.exec("good morning", "-m", "gpt-5.5", *options, deadline=60)
    assert run.returncode != 0
    assert "401" in run.stderr


async def test_a_users_own_file_is_kept_and_the_old_one_copied(gateway, codex):
    cli = codex()
    before = '# mine\nmodel = "gpt-5.5"\n\n[profiles.work]\nmodel = "o3"\n'
    (cli.home / "config.toml").write_text(before)
    told = await gateway.run(
        "codex-config", "--codex-home", str(cli.home), "--write", "--json"
    )
    kept = json.loads(told)["backup"]
    assert Path(kept).read_text() == before
    after = (cli.home / "config.toml").read_text()
    assert after.startswith('model_provider = "gateway"\n# mine\nmodel = "gpt-5.5"\n')
    run = await cli.exec("good morning")
    assert run.stdout.strip() == GREETING, run.stderr
