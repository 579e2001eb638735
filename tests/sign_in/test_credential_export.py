"""Codex asks `codexgate token` for its tokens: `credential_export`."""

import asyncio
import json
import re
import sys

import pytest

from gateway.cli.codex_config import Provider
from tests.e2e.codex_cli import ROOT
from tests.sign_in.signing import MODEL, ONCE, devices_of_turns

pytestmark = [pytest.mark.sign_in, pytest.mark.gen_test(timeout=60)]


def token_command(url):
    return [str(ROOT / "run.py"), "token", "--url", url]


def configure_export(cli, url):
    """As docs/clients.md has it; each run of the command leaves a line in `runs`."""
    command = " ".join([sys.executable, *token_command(url)])
    script = f'echo run >> "{cli.home}/runs"; exec {command}'
    args = json.dumps(["-c", script])
    export = f'{{ credential_export = {{ command = "sh", args = {args} }} }}'
    text = f"{Provider(url, websockets=False).text()}gateway_oauth = {export}\n"
    (cli.home / "config.toml").write_text(text)


def runs(cli):
    return len((cli.home / "runs").read_text().splitlines())


async def sign_in_by_code(cli, person):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *token_command(person.serving.base_url), "--sign-in"),
        env=cli.environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told = (await process.stderr.readline()).decode()
    await person.type_code(re.search(r"type (\S+)", told)[1], "job")
    token, told = await process.communicate()
    assert process.returncode == 0, told
    return token.decode()


@pytest.mark.parametrize(
    "newest", [pytest.param(False, marks=pytest.mark.nightly), True]
)
async def test_codex_takes_what_the_command_prints(serving, ada, codex, newest):
    cli = codex(newest=newest)
    configure_export(cli, serving.base_url)
    assert re.fullmatch(r"cgat-\S+\n", await sign_in_by_code(cli, ada))
    both = await asyncio.gather(*(cli.exec(f"run {n}", *MODEL) for n in (1, 2)))
    assert [run.returncode for run in both] == [0, 0], both
    (device,) = ada.devices()
    assert (device.name, device.flow) == ("job", "device")
    assert await devices_of_turns(serving) == {device.id}
    assert runs(cli) == 2
    await serving.gateway.oauth.sign_out(device.id, "test", at_once=True)
    ended = await cli.exec("and now?", *MODEL, *ONCE)
    assert ended.returncode != 0
    assert "--sign-in" in ended.stderr
    assert runs(cli) > 3  # each refusal has it run again
