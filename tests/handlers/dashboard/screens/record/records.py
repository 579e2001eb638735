"""Rows for the pages of the record, and what a page shows of them."""

import re

from gateway.store.models import now_ms

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


async def write(serving, *rows):
    for row in rows:
        serving.gateway.store.writer.log(row)
    await serving.gateway.store.flush()


def refusal(request_id):
    """A light row."""
    return {
        "request_id": request_id,
        "created_at": now_ms(),
        "api_key_id": 1,
        "client_address": "192.0.2.7",
        "surface": "v1",
        "door": "Responses",
        "http_status": 404,
        "error_code": "not_found",
        "reason": "Not Found",
        "requests": 1,
    }


def shown(page):
    """The ids of a page's rows, by the links to them."""
    found = [re.fullmatch("/dashboard/requests/([0-9a-f]{32})", x) for x in page.links]
    return [match[1] for match in found if match]


def link_to(page, label):
    """Where a pager's link leads."""
    found = re.search(rf'<a class="button"[^>]*href="([^"]+)">{label}', page.html)
    return found and found[1].replace("&amp;", "&")
