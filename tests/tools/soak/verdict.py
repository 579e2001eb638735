"""What a soak must not show, judged by the record and by who was well when."""

import json
import sqlite3
from collections import Counter
from contextlib import closing

from tests.tools.soak.stand import HOSTILE

# An account is left alone for so long after its trouble: the longest cooldown that
# one of the soak's own strokes leads to, and the time a request may take.
AFTERMATH = 75.0
# The cause that a receipt gives, and the strokes that bring it about.
STROKES = {"limited": {"limit"}, "paused": {"paused"}}
# Where the turn, or the response it goes on from, is at home.
OF_THE_TURN = {"returned", "turn_state", "previous_response_id"}
NOT_ITS_OWN = "the request belongs to another account"
TROUBLE = {"cooling", "failed", "on_trial", "suspected"}


def read_log(database):
    """Rows as they ended, with the receipt's words and the account's name."""
    query = """
        SELECT r.request_id, r.conversation, r.transport, r.status, r.attempts,
               r.duration_ms, r.created_at, r.receipt, r.is_prewarm, r.http_status,
               r.error_code, r.error_origin, r.error_message, a.name AS account,
               k.name AS key
        FROM request_log r LEFT JOIN account a ON a.id = r.account_id
        LEFT JOIN api_key k ON k.id = r.api_key_id ORDER BY r.id
    """
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        rows = [dict(row) for row in connection.execute(query)]
    for row in rows:
        row["receipt"] = json.loads(row["receipt"])
    return rows


def internal(refusals, rows, log):
    """Faults of the gateway's own, each as a text: as told, as logged, as printed."""
    found = [f"a client got {one.error}" for one in refusals if one.error.is_internal]
    found += [
        f"row {row['request_id']}: {row['error_message']}"
        for row in rows
        if row["error_origin"] == "gateway"
        and (row["http_status"] == 500 or row["error_code"] == "server_error")
    ]
    lines = log.splitlines()
    signs = ("Traceback", " ERROR ", " CRITICAL ", "Task exception", "never awaited")
    return found + [line for line in lines if any(sign in line for sign in signs)]


def over_budget(refusals, rows):
    """Refusals for which the gateway had no repetition left.

    At most a tenth of a minute's requests is repeated, whoever is well: in the
    first seconds of a storm that is less than the storm asks for. And what two
    accounts have answered is taken for upstream's own.
    """
    spent = {row["request_id"] for row in rows if _is_over_budget(row["receipt"])}
    return [one for one in refusals if one.error.request_id in spent]


_BY_RULE = ("the budget for repeated", "at a second account", "is in trouble")


def _is_over_budget(receipt):
    attempts = receipt["attempts"]
    if not attempts:
        return False
    # What concerns no account passes as upstream's answer; a limit goes on to others.
    is_of_upstream = attempts[-1].get("status") != 429 and "code" in attempts[-1]
    return is_of_upstream or any(end in attempts[-1]["then"] for end in _BY_RULE)


def unexcused(refusals, record, rows):
    """Refusals while an account was well that could have answered.

    Two lists: those without an excuse, and those whose every such account was still
    left alone after trouble of its own, the longer the longer that had lasted.
    """
    receipts = {row["request_id"]: row["receipt"] for row in rows}
    without, cooling = [], []
    for refusal in refusals:
        # A key's limit is no account's matter; a summary is readable for one only.
        if refusal.error.is_key_limit or refusal.is_bound:
            continue
        receipt = receipts.get(refusal.error.request_id, {"passed_over": ()})
        left_alone = {
            name.removesuffix("@demo.example")
            for name, why in receipt["passed_over"]
            if why.startswith("cooling")
        }
        well = set(record.who_was_well(refusal.begin, refusal.end))
        excused = {
            name
            for name in well & left_alone
            if not record.was_well(name, refusal.begin - AFTERMATH, refusal.end)
        }
        if well - excused:
            without.append((refusal, sorted(well - excused)))
        elif well:
            cooling.append(refusal)
    return without, cooling


def harmed(tally, rows):
    """What others than the hostile key noticed of it, each as a text."""
    lost = ("resent histories", "cut answers", "given up", "compacted histories lost")
    yield from (f"{one.code}: {one.error}" for one in tally.refusals)
    yield from (f"{name}: {tally.counts[name]}" for name in lost if tally.counts[name])
    for row in rows:
        receipt = row["receipt"]
        then = [attempt["then"] for attempt in receipt["attempts"]]
        # But for those that a compacted history keeps it from.
        suspected = {why for _, why in receipt["passed_over"]} - {NOT_ITS_OWN}
        is_calm = receipt["switch_cause"] is None and not suspected
        if row["key"] != HOSTILE and (then != ["answered"] or not is_calm):
            yield f"{row['transport']} turn of {row['key']}: {receipt}"


def switches(rows, weather, wall_to_monotonic):
    """Causes of all switches, and the rows whose cause is none."""
    causes, groundless = Counter(), []
    latest, visited = {}, {}
    for row in rows:
        attempts = row["receipt"]["attempts"]
        if not attempts or attempts[-1]["then"] != "answered" or row["is_prewarm"]:
            continue  # a prewarm says nothing about where its conversation is
        key, account = row["conversation"], row["account"]
        before = latest.get(key, account)
        been = visited.setdefault(key, set())
        if account != before:
            cause = row["receipt"]["switch_cause"]
            causes[str(cause)] += 1
            begin = row["created_at"] / 1000 + wall_to_monotonic
            end = begin + row["duration_ms"] / 1000
            if not _is_grounded(cause, before, account, been, (weather, begin, end)):
                groundless.append(row)
        been.add(account)
        latest[key] = account
    return causes, groundless


def _is_grounded(cause, before, account, been, when):
    weather, begin, end = when
    if cause in OF_THE_TURN:
        return account in been
    kinds = {
        stroke.kind
        for stroke in weather.strokes
        if stroke.account == before.removesuffix("@demo.example")
        and stroke.begin <= end
        and stroke.end >= begin - AFTERMATH
    }
    if cause in TROUBLE:
        return bool(kinds)
    return bool(kinds & STROKES.get(cause, set()))
