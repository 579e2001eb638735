"""The accounts' catalogues of models: fetched, kept, and merged for clients."""

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any, Protocol

import orjson

from gateway.accounts.account import Account
from gateway.accounts.pool import Pool
from gateway.polling import TICK_SECONDS, is_over, wait_for_all
from gateway.polling.client_version import (
    NEWEST_KNOWN,
    ClientVersion,
    believed_version,
)
from gateway.polling.model_lookups import ModelLookups
from gateway.polling.rulings import Ruling, give_ruling
from gateway.protocol.facts import Catalogue
from gateway.protocol.lenient_json import dump, text
from gateway.store.database import StoreUnavailable
from gateway.upstream import UpstreamFault
from gateway.upstream.account_api import AccountCalls
from gateway.upstream.api import ApiResponse

REFRESH_SECONDS = 300.0
# An account without a catalogue is asked again sooner.
RETRY_SECONDS = 30.0
BY_CATALOGUE = "its catalogue"


class Viewer(Protocol):
    """What a client's key lets it see."""

    @property
    def accounts(self) -> frozenset[int] | None: ...

    def allows(self, model: str) -> bool: ...


class Catalogues:
    """Keeps `account.catalogue` of the pool's accounts up to date."""

    def __init__(
        self,
        pool: Pool,
        calls: AccountCalls,
        upstream_base_url: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._pool = pool
        self._calls = calls
        self._base = upstream_base_url.rstrip("/")
        self._clock = clock
        self.asks_as = NEWEST_KNOWN
        self.lookups = ModelLookups(pool, self.refresh)
        self._due: dict[int, float] = {}
        # As which version the catalogue was asked for that an account has.
        self._asked_as: dict[int, ClientVersion] = {}

    async def run(self) -> None:
        """Refresh what is due, for ever; its owner cancels it."""
        while True:
            await self.refresh_due()
            await asyncio.sleep(TICK_SECONDS)

    async def refresh_due(self) -> None:
        """Refresh the catalogues that are missing or older than five minutes."""
        now = self._clock()
        accounts = self._pool.accounts
        self._due = {id: at for id, at in self._due.items() if id in accounts}
        for id in self._asked_as.keys() - accounts.keys():
            del self._asked_as[id]
        await wait_for_all(
            self.refresh(account)
            for account in accounts.values()
            if is_over(self._due.get(account.id, 0.0), now)
            and account.health.is_in_service
        )

    async def refresh(self, account: Account) -> Ruling:
        """Fetch one catalogue; the old one stays when that fails.

        So it does when the first answer to a newer version is shorter: a version
        that upstream does not like must not cost models.
        """
        known, version = account.catalogue, self.asks_as
        try:
            answer = await self._calls.get(
                account, self._url(account), etag=known.etag if known else None
            )
        except (UpstreamFault, StoreUnavailable):
            answer = None
        now, is_listed = self._clock(), False
        if answer is not None and answer.status == 304 and known is not None:
            account.catalogue = replace(known, fetched_at=now)
            self._asked_as[account.id] = version
        elif answer is not None and answer.status == 200:
            read = read_openai if not account.is_chatgpt else read_codex
            found = read(answer, now)
            is_listed = found is not None
            is_new = account.is_chatgpt and (  # others are not told the version
                version > self._asked_as.get(account.id, version)
            )
            if found is not None and not (
                is_new and known is not None and len(found.models) < len(known.models)
            ):
                account.catalogue = found
                self._asked_as[account.id] = version
        is_known = account.catalogue is not None
        pause = REFRESH_SECONDS if is_known else RETRY_SECONDS
        self._due[account.id] = now + pause * random.uniform(0.9, 1.0)
        if answer is None:
            return Ruling.NONE
        is_well = is_listed or answer.status == 304
        return give_ruling(self._pool, account, answer, BY_CATALOGUE, is_well=is_well)

    def note_exchange(self, row: Mapping[str, Any]) -> None:
        """Ask as the newest client whose turn upstream completed; `row` of the log."""
        if row["status"] == "success" and row["response_id"]:
            version = believed_version(row["user_agent"])
            if version is not None and version > self.asks_as:
                self.asks_as = version
                self._due.clear()  # there may be models for it

    def listing(
        self, key: Viewer | None = None, *, codex: bool = True
    ) -> tuple[list[dict[str, Any]], str]:
        """Entries the client may see, as upstream sent them, and an ETag of them.

        With `codex` False also the models of which only the name is known, as
        {"slug": name}. The first account that has a model describes it.
        """
        merged: dict[str, tuple[dict[str, Any], bytes]] = {}
        for account in sorted(
            self._pool.accounts.values(), key=lambda one: (one.priority, one.id)
        ):
            is_theirs = (
                key is None or key.accounts is None or account.id in key.accounts
            )
            if is_theirs and account.health.is_in_service:
                for slug, described in _described(account.catalogue, codex=codex):
                    if key is None or key.allows(slug):
                        merged.setdefault(slug, described)
        digest = blake2b(b"".join(d for _, d in merged.values()), digest_size=16)
        return [entry for entry, _ in merged.values()], f'"{digest.hexdigest()}"'

    def _url(self, account: Account) -> str:
        if not account.is_chatgpt:
            return (account.base_url or "").rstrip("/") + "/models"
        return f"{self._base}/codex/models?client_version={self.asks_as}"


def _described(
    catalogue: Catalogue | None, *, codex: bool
) -> Iterator[tuple[str, tuple[dict[str, Any], bytes]]]:
    if catalogue is None:
        return
    for entry, digest in zip(catalogue.entries, catalogue.digests, strict=True):
        yield entry["slug"], (entry, digest)
    if not codex:
        named = {entry["slug"] for entry in catalogue.entries}
        for slug in sorted(catalogue.models - named):
            yield slug, ({"slug": slug}, _digest({"slug": slug}))


def read_codex(answer: ApiResponse, now: float) -> Catalogue | None:
    """The catalogue of a ChatGPT account; None when it lists nothing."""
    found = answer.json().get("models")
    entries = _named(found, "slug")
    return _catalogue((e["slug"] for e in entries), entries, answer, now)


def read_openai(answer: ApiResponse, now: float) -> Catalogue | None:
    """The names in an OpenAI list of models; such entries are no use to Codex."""
    found = _named(answer.json().get("data"), "id")
    return _catalogue((entry["id"] for entry in found), [], answer, now)


def _named(found: Any, name: str) -> list[dict[str, Any]]:
    """The objects that have a name, and can be shown again."""
    return [
        entry
        for entry in (found if isinstance(found, list) else [])
        if isinstance(entry, dict) and text(entry.get(name)) and dump(entry) is not None
    ]


def _catalogue(
    models: Iterable[str],
    entries: list[dict[str, Any]],
    answer: ApiResponse,
    now: float,
) -> Catalogue | None:
    names = frozenset(models)
    if not names:
        return None  # an account without any model is a fault, not a fact
    etag = answer.headers.get("etag")
    return Catalogue(
        models=names,
        entries=tuple(entries),
        digests=tuple(_digest(entry) for entry in entries),
        etag=etag if etag and etag.isascii() else None,  # it is sent back
        fetched_at=now,
    )


def _digest(entry: dict[str, Any]) -> bytes:
    return blake2b(orjson.dumps(entry), digest_size=16).digest()
