"""Rows with whatever upstream told, of an earlier release, are read all the same."""

import json
import time

import pytest

from gateway.admin.views import stored_accounts
from gateway.cli.output import format_time
from gateway.protocol.numbers import LATEST, LONGEST_WINDOW
from gateway.store.models import AccountRow
from tests.handlers.admin.operators import Operator

LARGEST = 2**63 - 1
DETAILS = [
    '{"limit":{"window":"rate","since":-1e306,"until":1e306}}',
    '{"limit":{"window":7,"since":"x","until":1e20}}',
    '{"limit":{"until":Infinity},"windows":[{"name":"primary","used_percent":NaN}]}',
    '{"limit":{"until":%s}}' % ("9" * 5000),
    json.dumps(
        {
            "windows": [
                {
                    "name": name,
                    "used_percent": 1e306,
                    "window_minutes": 10**12,
                    "resets_at": 1e306,
                    "seen_at": 1e306,
                }
                for name in ("primary", "secondary")
            ],
            "last_error": {"message": "m", "at": 1e306},
        }
    ),
    "[" * 100_000,
    "{",
]


@pytest.mark.gen_test
async def test_accounts_are_loaded_and_shown_whatever_their_rows_hold(serving):
    store, secrets = serving.gateway.store, serving.gateway.secrets

    async def leave(at, detail):
        await store.write(
            AccountRow.update(
                expires_at=at, state_until=at, state_detail=detail
            ).execute
        )

    for at in (LARGEST, -LARGEST, 10**15):
        for detail in DETAILS:
            await leave(at, detail)
            for account in await store.read(stored_accounts, secrets):
                windows = account["windows"]
                for told in (
                    *(account["token_expires_at"], account["until"]),
                    *(w[name] for w in windows for name in ("resets_at", "seen_at")),
                ):
                    assert (told or 0) <= LATEST
                    format_time(told)
                assert (account["until"] or 0) <= time.time() + LONGEST_WINDOW
                assert all(w["used_percent"] <= 1_000 for w in windows)
    await leave(LARGEST, DETAILS[4])
    await serving.restart()
    listed = await Operator(serving).get("/api/accounts")
    assert [one["name"] for one in listed["accounts"]] == ["one", "two"]
    assert (await serving.get("/metrics")).status == 200
