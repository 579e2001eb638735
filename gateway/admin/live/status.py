"""One answer to whether all is well: of the gateway that runs, or of its database."""

import asyncio
import os
import platform
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gateway.admin.live.elsewhere import members_of_all
from gateway.admin.live.members import list_members
from gateway.admin.live.warnings import warnings_of
from gateway.admin.views import show_account, stored_accounts
from gateway.app import Gateway
from gateway.keys.key import Key
from gateway.keys.limiter import Limiter
from gateway.monitoring.readiness import readiness
from gateway.monitoring.recorder.files import read_recording, recordings
from gateway.process.release import version
from gateway.protocol.limit_windows import runs_out_at
from gateway.repository.keys import load_keys
from gateway.repository.startup import stored_counters
from gateway.settings import Settings
from gateway.store import models
from gateway.store.database import StoreUnavailable
from gateway.store.encryption import SecretBox
from gateway.store.identity import database_bytes, place_of
from gateway.store.log.activity import recent_errors
from gateway.store.models import now_ms

# What a person can take in at a glance.
MOST_LIMITS = 50
READ_SECONDS = 5.0

Shown = dict[str, Any]


async def live_status(gateway: Gateway) -> Shown:
    """Of the process that is asked; what the database does not tell in time is null."""
    settings = gateway.settings
    told: Shown = {"errors": None, "database": _database(settings, None)}
    told["recording"] = told["members"] = None
    try:
        async with asyncio.timeout(READ_SECONDS):
            told |= await gateway.store.read(_from_database, settings)
            told["recording"] = await gateway.store.read(
                last_recording, settings.data_dir
            )
            told["members"] = await members_of_all(gateway)
    except (StoreUnavailable, TimeoutError) as error:
        told["database"]["problem"] = str(error) or "it does not answer"
    known = status_in_memory(gateway)
    health = known["gateway"]["readiness"]["database"]
    if health != "ok":
        told["database"]["problem"] = health
    return known | told


def status_in_memory(gateway: Gateway) -> Shown:
    """What needs neither the database nor a file."""
    now, base = time.time(), gateway.pool.verdicts.base
    return {
        "at": now,
        "gateway": _process(gateway, now),
        "accounts": [
            show_account(one, now, base(one)) for one in gateway.pool.accounts.values()
        ],
        "limits": _limits(gateway.ring, gateway.limiter, now),
        "queues": {
            "accounts": gateway.pool.waiting,
            "keys": gateway.limiter.waiting + gateway.arrivals.waiting,
            "log": gateway.store.writer.queue_depth,
            "body_bytes": gateway.body_budget.used,
            "lost_rows": gateway.store.writer.dropped,
        },
        "lag": {
            "loop": round(gateway.metrics.loop.worst_lag, 4),
            "writer": round(gateway.store.writer.lag_seconds, 3),
        },
    }


def stored_status(settings: Settings, secrets: SecretBox) -> Shown:
    """What the open database knows, for when no gateway runs."""
    now, limiter = time.time(), Limiter()
    limiter.ledger.restore(stored_counters(now))
    return {
        "at": now,
        "gateway": None,
        "accounts": stored_accounts(secrets),
        "limits": _limits(load_keys(), limiter, now),
        "queues": None,
        "lag": None,
        **_from_database(settings),
        "recording": last_recording(settings.data_dir),
    }


def _process(gateway: Gateway, now: float) -> Shown:
    return {
        "version": version(),
        "python": platform.python_version(),
        "codex_version": str(gateway.catalogues.asks_as),
        "pid": os.getpid(),
        "started_at": gateway.started_at,
        "uptime": round(max(0.0, now - gateway.started_at), 1),
        "turns": len(gateway.turns.running),
        "sockets": len(gateway.channels),
        "readiness": readiness(gateway),
        "warnings": warnings_of(gateway),
    }


def _limits(keys: Iterable[Key], limiter: Limiter, now: float) -> list[Shown]:
    """Of keys that are in use, the fullest first."""
    shown = [
        {
            "key": key.name,
            "limit": str(one.limit),
            "used": one.used,
            "maximum": one.limit.maximum,
            "used_percent": round(100 * one.used / one.limit.maximum, 1),
            "began_at": one.start,
            "resets_at": one.end,
            "runs_out_at": runs_out_at(
                one.used / one.limit.maximum, one.start, one.end, now
            ),
        }
        for key in keys
        if not (key.disabled or key.is_expired(now))
        for one in limiter.ledger.all_counters(key, now)
    ]
    return sorted(shown, key=_percent, reverse=True)[:MOST_LIMITS]


def _percent(limit: Shown) -> float:
    return float(limit["used_percent"])


def _from_database(settings: Settings) -> Shown:
    size = database_bytes(models.database.obj)
    return {
        "errors": recent_errors(now_ms()),
        "database": _database(settings, size),
        "members": list_members(),
    }


def _database(settings: Settings, size: int | None) -> Shown:
    place = place_of(settings.database_url)
    return {"place": place, "bytes": size, "problem": None}


def last_recording(data_dir: Path) -> Shown | None:
    """The last one of a blocked loop, and its first block."""
    there = recordings(data_dir)
    if not there:
        return None
    lines = read_recording(there[-1])
    blocks = (
        f"{told['blocked_ms']} ms, {told['cause']}"
        for told in lines
        if told["kind"] == "block"
    )
    what = next(blocks, None)
    return {"file": there[-1].name, "at": there[-1].stat().st_mtime, "what": what}
