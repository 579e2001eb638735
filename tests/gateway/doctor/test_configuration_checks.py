"""What is said about settings that are wrong."""

import asyncio

import aiohttp
import pytest

from gateway.doctor import configuration_checks as checks
from gateway.doctor.findings import Level


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("GATEWAY_PROT", "did you mean GATEWAY_PORT?"),
        ("GATEWAY_DATADIR", "did you mean GATEWAY_DATA_DIR?"),
        ("GATEWAY_TRUSTED_PROXY", "did you mean GATEWAY_TRUSTED_PROXIES?"),
        ("gateway_port", "did you mean GATEWAY_PORT?"),
        ("GATEWAY_FLUX_CAPACITOR", "is no setting"),
    ],
)
def test_a_name_that_is_no_setting_is_told_with_the_nearest(tmp_path, name, words):
    (finding,) = checks.names_of_settings({name: "1", "PATH": "/"}, tmp_path / "none")
    assert finding.level is Level.FAIL
    assert f"{name} in the environment" in finding.message
    assert words in finding.message


def test_the_names_of_the_env_file_are_looked_at_too(tmp_path):
    file = tmp_path / ".env"
    file.write_text(
        "# GATEWAY_NONE=1\nexport GATEWAY_HOSTS=x\nGATEWAY_PORT = 8\nA=GATEWAY_B=1\n"
    )
    (finding,) = checks.names_of_settings({}, file)
    assert finding.message == (
        f"GATEWAY_HOSTS in {file} is no setting; did you mean GATEWAY_HOST?"
    )


def test_names_that_are_settings_are_well(tmp_path):
    environ = {"GATEWAY_PORT": "1", "GATEWAY_API_KEY": "k", "HOME": "/"}
    (finding,) = checks.names_of_settings(environ, tmp_path / "none")
    assert finding.level is Level.OK


@pytest.mark.gen_test
async def test_an_upstream_answers_or_does_not(upstream):
    async with aiohttp.ClientSession() as session:
        urls = [
            f"{upstream.url}/backend-api",
            f"{upstream.url}/v1",
            "http://127.0.0.1:1",
        ]
        found = await asyncio.wait_for(checks.upstreams(session, urls), 20)
    assert [one.level for one in found] == [Level.WARN, Level.OK], found
    (silent,) = [one for one in found if one.level is Level.WARN]
    assert "http://127.0.0.1:1/ does not answer" in silent.message
