"""Tokens that another process, or Codex in its file, has renewed."""

import asyncio
import json

from gateway.upstream.tokens import TokenSource
from tests.gateway.upstream.test_tokens import Database, account, credentials, run
from tests.gateway.upstream.token_endpoint import Endpoint, document, serving


def test_two_processes_refresh_once():
    endpoint, database = Endpoint(), Database()

    async def main():
        async with serving(endpoint) as (session, url):
            both = [
                TokenSource(session, url, database, lambda *_: None) for _ in range(2)
            ]
            mine = [account(), account()]
            endpoint.gate = asyncio.Event()
            tasks = [
                asyncio.create_task(tokens.ensure_fresh(one))
                for tokens, one in zip(both, mine, strict=True)
            ]
            await endpoint.arrived.wait()
            endpoint.gate.set()
            await asyncio.gather(*tasks)
            assert mine[0].credentials == mine[1].credentials

    asyncio.run(main())
    assert len(endpoint.requests) == 1


def test_token_of_another_process_is_taken_instead_of_refreshing():
    async def scenario(tokens, database, seen):
        mine = account()
        await tokens.ensure_fresh(mine)
        assert mine.credentials is database.stored

    endpoint = run(scenario, database=Database(credentials(3_600, "rt-2")))
    assert not endpoint.requests


def test_token_that_codex_rotated_in_its_file_is_taken(tmp_path):
    path = tmp_path / "auth.json"
    path.write_text(json.dumps(document()))

    async def scenario(tokens, database, seen):
        mine = account(source_path=str(path))
        await tokens.ensure_fresh(mine)
        assert mine.credentials.refresh_token.reveal() == "file-token"
        assert database.log == ["file-token"]

    assert not run(scenario).requests


def test_file_of_another_account_is_left_alone(tmp_path):
    path = tmp_path / "auth.json"
    path.write_text(json.dumps(document(account_id="other")))

    async def scenario(tokens, database, seen):
        await tokens.ensure_fresh(account(source_path=str(path)))
        assert database.log == ["rt-1+"]

    run(scenario)


def test_spent_token_is_forgiven_when_the_file_has_a_newer_one(tmp_path):
    path = tmp_path / "auth.json"
    endpoint = Endpoint()
    endpoint.spent.add("rt-1")
    path.write_text(json.dumps(document(lifetime=10)))  # newer, and old already

    async def scenario(tokens, database, seen):
        mine = account(source_path=str(path))
        await tokens.ensure_fresh(mine)
        assert mine.credentials.refresh_token.reveal() == "file-token+"

    run(scenario, endpoint)
