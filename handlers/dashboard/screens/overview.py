"""/dashboard/: how all fares, and what needs the owner; it keeps itself new."""

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.admin.live.notices import list_notices
from gateway.admin.live.status import last_recording, status_in_memory
from gateway.admin.traffic.lately import locality_lately
from gateway.doctor.examination import Examination
from gateway.doctor.findings import Finding
from gateway.settings import Settings
from gateway.store.log.minutes import MINUTE_MS, minutes_since
from handlers.api.codex_status import NEUTRAL, pool_windows
from handlers.dashboard.base import PageHandler
from handlers.dashboard.navigation import can_open
from handlers.dashboard.screens.needs import Signs, needs

MINUTES = 60
SHOWN_ACCOUNTS = 20
NOTICES_LOOKED_AT = 50
_SUMMED = (
    *("requests", "switches", "unpriced", "input_tokens", "cached_tokens"),
    *("output_tokens", "cost_microdollars"),
)


class OverviewScreen(PageHandler):
    """/dashboard/: what is left, what runs, what failed, what needs the owner."""

    async def get(self) -> None:
        gateway, user = self.gateway, self.user
        told = status_in_memory(gateway)
        windows = pool_windows(gateway.pool.accounts.values(), told["at"])
        await self.show(
            "overview_now.html" if self.is_partial else "overview.html",
            read_overview,
            told,
            gateway.settings,
            self._findings(),
            told=told,
            pool=[] if windows == NEUTRAL else [one._asdict() for one in windows],
            shown_accounts=told["accounts"][:SHOWN_ACCOUNTS],
            has_keys=gateway.ring.ever_made,
            can_open=lambda url: can_open(user, url),
        )

    def _findings(self) -> list[Finding]:
        """Of the doctor's last examination, for who may see them."""
        if not can_open(self.user, "/dashboard/doctor"):
            return []
        held = self.gateway.background.of(Examination)
        return list(held[-1].findings) if held else []


def read_overview(
    told: Mapping[str, Any], settings: Settings, findings: list[Finding]
) -> dict[str, Any]:
    """What the database and the recordings say of the last hour."""
    until = int(told["at"] * 1000) // MINUTE_MS * MINUTE_MS + MINUTE_MS
    since = until - MINUTES * MINUTE_MS
    rows = minutes_since(since, until)
    undelivered = [
        notice
        for notice in list_notices(NOTICES_LOOKED_AT)
        if notice["state"] == "given up" and not notice["is_over"]
    ]
    recording = last_recording(settings.data_dir)
    locality = locality_lately(told["at"])
    signs = Signs(recording, undelivered, findings, *locality)
    return {
        "needs": needs(told, signs),
        "hour": sum_of_hour(rows),
        "minutes": by_minute(rows, since),
    }


def sum_of_hour(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """All minutes in one, and what failed by whose fault it was."""
    total = dict.fromkeys(_SUMMED, 0)
    failed: dict[str, int] = {}
    for row in rows:
        for name in _SUMMED:
            total[name] += row[name]
        if row["origin"]:
            failed[row["origin"]] = failed.get(row["origin"], 0) + row["requests"]
    by_origin = dict(sorted(failed.items(), key=lambda one: -one[1]))
    return {**total, "failed": sum(failed.values()), "by_origin": by_origin}


def by_minute(rows: Iterable[Mapping[str, Any]], since: int) -> list[dict[str, Any]]:
    """Each minute from `since` (unix ms) on, those without a turn, too."""
    minutes = [
        {
            "at": (since + n * MINUTE_MS) // 1000,
            **{"by_origin": {}, "read": 0, "cached": 0, "written": 0},
        }
        for n in range(MINUTES)
    ]
    for row in rows:
        minute: dict[str, Any] = minutes[(row["start"] - since) // MINUTE_MS]
        minute["by_origin"][row["origin"]] = row["requests"]
        minute["read"] += row["input_tokens"] - row["cached_tokens"]
        minute["cached"] += row["cached_tokens"]
        minute["written"] += row["output_tokens"]
    return minutes
