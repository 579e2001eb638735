"""Make a database with a long request log.

Run as `python -m tests.tools.bench.generate_log FILE`.

Rows come as a gateway in use writes them: more by day than by night, a few keys and
models for most of the traffic, conversations that stay on their account, some errors.
The same seed gives the same rows.
"""

import argparse
import itertools
import json
import math
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.store.database import migrate, open_database
from gateway.store.log.log_rows import COLUMNS, DAY_MS, Sums, write_log

KEYS = 40
ACCOUNTS = 8
MODELS = (
    *("gpt-5.3-codex", "gpt-5.4", "gpt-5.4-mini", "gpt-5.2-codex", "gpt-5.2"),
    *("gpt-5.1", "gpt-5", "codex-mini", "gpt-5.1-codex-max", "gpt-4.1"),
)
BATCH = 20_000
RECEIPT = json.dumps(
    {
        "account": "account-3",
        "reason": "session-id",
        "passed_over": [["account-1", "limited"], ["account-2", "cooling"]],
        "retried": [],
    }
)
AGENT = "codex_exec/0.169.0 (Debian 12.0.0; x86_64) xterm-256color"


def rows(count: int, days: int, now: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """`count` log rows that end at `now` (unix ms), oldest first."""
    chance = random.Random(seed)
    key_weights = list(itertools.accumulate(1 / n for n in range(1, KEYS + 1)))
    model_weights = list(itertools.accumulate(1 / n for n in range(1, len(MODELS) + 1)))
    keys, numbers = range(1, KEYS + 1), range(count)
    start, step = now - days * DAY_MS, days * DAY_MS / count
    for number in numbers:
        at = start + number * step
        # Noon has five times midnight's traffic.
        at -= math.sin((at % DAY_MS) / DAY_MS * 2 * math.pi) * DAY_MS / 10
        key = chance.choices(keys, cum_weights=key_weights)[0]
        luck = chance.random()
        status = (
            "success" if luck < 0.95 else "error" if luck < 0.985 else "interrupted"
        )
        tokens = int(chance.expovariate(1 / 40_000))
        duration = int(chance.expovariate(1 / 9_000))
        # Each key has favourites among the models, and two accounts.
        model = MODELS[
            (chance.choices(range(len(MODELS)), cum_weights=model_weights)[0] + key)
            % len(MODELS)
        ]
        yield {
            "request_id": f"{chance.getrandbits(128):032x}",
            "response_id": f"resp_{chance.getrandbits(200):050x}",
            "created_at": int(at),
            "api_key_id": key,
            "account_id": None if luck > 0.999 else (key + number % 2) % ACCOUNTS + 1,
            "surface": "codex" if key % 4 else "v1",
            "transport": "websocket" if key % 3 else "http",
            "route": "responses",
            "model": model,
            "requested_model": model,
            "requested_tier": None,
            "service_tier": "default",
            "reasoning_effort": "medium",
            "status": status,
            "http_status": 200 if status != "error" else 502,
            "error_code": "upstream_unavailable" if status == "error" else None,
            "error_message": "The upstream failed" if status == "error" else None,
            "input_tokens": tokens,
            "cached_tokens": tokens * 4 // 5,
            "output_tokens": tokens // 30,
            "reasoning_tokens": tokens // 60,
            "cost_microdollars": tokens // 2,
            "duration_ms": duration,
            "body_ms": 1,
            "queue_ms": 0,
            "connect_ms": 40,
            "first_event_ms": min(duration, 400),
            "first_output_ms": min(duration, 1_500),
            "request_bytes": tokens * 4,
            "response_bytes": tokens,
            "client_address": "127.0.0.1",
            "user_agent": AGENT,
            "conversation": f"{key}:session:{number // 40:032x}",
            "attempts": 1,
            "changes": "[]",
            "receipt": RECEIPT,
        }


DEFAULTS = dict.fromkeys(COLUMNS) | {
    **dict.fromkeys(("cache_write_tokens", "is_prewarm"), 0),
}


def generate(file: Path, count: int, days: int, now: int) -> None:
    """Write the rows with their roll-ups, as the writer does, in larger batches."""
    database = open_database(f"sqlite:///{file.absolute()}")
    with database.connection_context():
        migrate(database)
        database.execute_sql("PRAGMA synchronous = off")
        source = rows(count, days, now)
        while batch := list(itertools.islice(source, BATCH)):
            sums = Sums()
            values = [tuple((DEFAULTS | row).values()) for row in batch]
            sums.add(values, [True] * len(values))
            with database.atomic():
                write_log(database, values)
                sums.write(database)
        # As the writer's retention does now and then.
        database.execute_sql("ANALYZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--days", type=int, default=30)
    options = parser.parse_args()
    started = time.monotonic()
    generate(options.file, options.rows, options.days, time.time_ns() // 1_000_000)
    size = options.file.stat().st_size / 1e6
    seconds = time.monotonic() - started
    print(f"{options.rows} rows in {seconds:.0f} s, {size:.0f} MB")


if __name__ == "__main__":
    main()
