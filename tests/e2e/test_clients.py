"""Clients of others, really installed, make of the answers what they should.

A sample of `make clients`; the openai SDK for Python has tests of its own.
"""

import pytest

from tests.e2e.conftest import missing
from tests.tools.clients.running import install, output_of, shortcomings
from tests.tools.clients.table import CLIENTS

pytestmark = pytest.mark.clients

SAMPLE = ("openai, Node", "openai-agents, Python", "AI SDK")


@pytest.mark.parametrize(
    "client",
    [client for client in CLIENTS if client.name in SAMPLE],
    ids=lambda client: client.name,
)
@pytest.mark.gen_test(timeout=400)  # the first time it is installed
async def test_a_client_makes_of_the_answers_what_it_should(client, gateway):
    failure = await install(client)
    if failure:
        missing(f"{client.name} cannot be installed: {failure}")
    key = await gateway.create_key()
    output = await output_of(client, gateway, key)
    assert shortcomings(client, output) == [], output
