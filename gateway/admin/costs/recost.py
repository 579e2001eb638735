"""Counting the log's costs again, with the prices that count now."""

from gateway.admin.costs.breakdown import quote_of_row, usage_of_row
from gateway.admin.views import account_names
from gateway.pricing.pricing import PriceTable
from gateway.repository.audit import record
from gateway.store.log.costs import change_costs, id_before, rows_to_count
from gateway.store.log.queries import Record

# Rows of one transaction: the writer's batches wait for its end.
PAGE_ROWS = 500
SUMMED = (
    *("requests", "changed", "unpriced_before", "unpriced_after"),
    *("cost_before", "cost_after"),
)


def recost_page(
    table: PriceTable, since: int, after: int | None, actor: str, dry: bool
) -> Record:
    """Count some rows again: sums by model, and `next` for the page behind it.

    `after` is `next` of the page before. Rows and their sums change together; run it
    through `Store.write`. `dry`: nothing is changed. What keys' limits have counted
    stays: they counted what was known then.
    """
    is_first = after is None
    start = id_before(since) if after is None else after
    rows, names = rows_to_count(since, start, PAGE_ROWS), account_names()
    sums: dict[str, Record] = {}
    changed = []
    for row in rows:
        account = names.get(row["account_id"] or 0)
        cost = quote_of_row(table, row, account).cost(usage_of_row(row))
        before = row["cost_microdollars"]
        if cost != before:
            changed.append((row, cost))
        model = row["model"] or ""
        total = sums.setdefault(model, {"model": model, **dict.fromkeys(SUMMED, 0)})
        total["requests"] += 1
        total["changed"] += cost != before
        for name, one in (("before", before), ("after", cost)):
            total[f"unpriced_{name}"] += one is None
            total[f"cost_{name}"] += one or 0
    if changed and not dry:
        change_costs(changed)
    if is_first and not dry:
        record(actor, "prices.recost", "", since=since)
    is_last = len(rows) < PAGE_ROWS
    return {"next": None if is_last else rows[-1]["id"], "models": [*sums.values()]}
