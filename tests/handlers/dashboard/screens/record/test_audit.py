"""/dashboard/audit: who changed what, what it was before, a page at a time."""

import itertools
import re

import pytest

from gateway.admin.keys import change_key, create_key
from gateway.repository.audit import record
from gateway.sign_in.users import Role
from gateway.store.models import AuditLog
from gateway.store.pages.page_reads import SHOWN_ROWS
from handlers.dashboard.screens.record.audit import ChangedField, changed_fields
from tests.handlers.dashboard.browsing import signed_in
from tests.handlers.dashboard.screens.record.records import HOSTILE

AUDIT = "/dashboard/audit"


@pytest.mark.gen_test
async def test_a_change_is_shown_with_what_was_before(serving):
    write = serving.gateway.store.write
    await write(create_key, "laptop", {"rpm": 5}, "cli:ada")
    await write(change_key, "laptop", {"rpm": 9, "models": ["gpt-*"]}, "user:bob")
    page = await (await signed_in(serving, Role.VIEWER)).get(AUDIT)
    for told in (
        "user:bob",
        "key.update",
        "laptop",
        "rpm 5 → 9",
        "models none → gpt-*",
    ):
        assert told in page.text, told


@pytest.mark.gen_test
async def test_where_somebody_signed_in_from_is_not_for_viewers(serving):
    noted = {"address": "192.0.2.77"}
    await serving.gateway.store.write(lambda: record("user:x", "a", "b", **noted))
    for role in Role:
        page = await (await signed_in(serving, role, name=role)).get(AUDIT)
        assert ("192.0.2.77" in page.text) is role.includes(Role.OPERATOR)


@pytest.mark.gen_test
async def test_changes_are_filtered_by_who_and_since_when(serving):
    def fill():
        AuditLog.delete().execute()
        for who, at in (("cli:ada", 1), ("cli:ada", None), ("user:bob", None)):
            record(who, "key.update", f"{who}-{at}")
            if at:
                AuditLog.update(at=at).execute()

    await serving.gateway.store.write(fill)
    browser = await signed_in(serving)
    for query, expected in (
        ("", {"cli:ada-1", "cli:ada-None", "user:bob-None"}),
        ("actor=ADA", {"cli:ada-1", "cli:ada-None"}),
        ("since=1h", {"cli:ada-None", "user:bob-None"}),
        ("actor=cli&since=1h", {"cli:ada-None"}),
        ("actor=%25", set()),
        ("actor=nobody", set()),
    ):
        page = await browser.get(f"{AUDIT}?{query}")
        assert set(re.findall(r"\w+:\w+-\w+", page.text)) == expected, query
    page = await browser.get(f"{AUDIT}?since=soon")
    assert (page.status, "since" in page.text) == (400, True)


@pytest.mark.gen_test
async def test_changes_that_are_made_meanwhile_move_no_page(serving):
    def fill(first, last):
        for number in range(first, last):
            record("api", "key.update", f"key-{number:03}")

    write, browser = serving.gateway.store.write, await signed_in(serving)
    await write(AuditLog.delete().execute)
    await write(fill, 0, SHOWN_ROWS + 3)
    seen, page = [], await browser.get(AUDIT)
    for label in ("Older →", "← Newer"):
        seen.append(re.findall(r"key-(\d+)", page.text))
        await write(fill, 100 + len(seen), 101 + len(seen))
        url = re.search(rf'href="([^"]+)">{label}', page.html)[1]
        page = await browser.get(url.replace("&amp;", "&"))
    numbers = [f"{number:03}" for number in range(SHOWN_ROWS + 3)][::-1]
    assert list(itertools.chain(*seen)) == numbers
    assert re.findall(r"key-(\d+)", page.text) == numbers[:SHOWN_ROWS]
    url = re.search(r'href="([^"]+)">← Newer', page.html)[1]
    page = await browser.get(url.replace("&amp;", "&"))
    assert re.findall(r"key-(\d+)", page.text)[:3] == ["102", "101", numbers[0]]


@pytest.mark.gen_test
async def test_what_somebody_else_named_stays_text(serving):
    await serving.gateway.store.write(
        lambda: record(
            HOSTILE,
            HOSTILE,
            HOSTILE,
            before={HOSTILE: HOSTILE},
            after={},
            **{HOSTILE: 1},
        )
    )
    browser = await signed_in(serving)
    for path in (AUDIT, f"{AUDIT}?actor={HOSTILE}", f"{AUDIT}?since={HOSTILE}"):
        page = await browser.get(path)
        assert "img" not in page.tags
        assert page.tags.count("script") == 2
        assert not {name for name, _ in page.attributes if name.startswith("on")}


LIMITS = {"limits": ["5/1d", "1/1m"]}


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        ({"before": "first", "after": "second"}, [("", "first", "second")]),
        ({"before": {"rpm": None}, "after": {"rpm": 3}}, [("rpm", "none", "3")]),
        ({"before": {}, "after": LIMITS}, [("limits", "none", "5/1d, 1/1m")]),
        ({"before": {"a_b": False}, "after": {"a_b": True}}, [("a b", "no", "yes")]),
        ({"before": {"5/1d": 0}}, [("5/1d", None, "was 0")]),
        ({"old_at": 0, "source": None}, [("old at", None, "1970-01-01 00:00:00")]),
        (
            {"rules": {"rpm": 3, **LIMITS}},
            [("rules", None, "rpm 3, limits 5/1d, 1/1m")],
        ),
        ({}, []),
        ([], []),
        ("cut", []),
    ],
)
def test_whatever_was_noted_is_told_field_by_field(detail, told):
    assert list(changed_fields(detail, "UTC")) == [ChangedField(*one) for one in told]
