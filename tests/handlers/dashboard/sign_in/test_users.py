"""Users as owners change them, and sessions as whoever has them ends them."""

import re
import time
from functools import partial

import pytest

from gateway.admin.users.changes import change_role, disable_user
from gateway.sign_in.sessions import end_sessions
from gateway.sign_in.users import Role
from gateway.store.models import AuditLog
from tests.handlers.dashboard.browsing import Browser, signed_in
from tests.handlers.dashboard.sign_in.people import add, enter

USERS, SESSIONS = "/dashboard/users", "/dashboard/sessions"
ATTACKS = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>']
NEW = "another long password"


async def audited(serving):
    rows = await serving.gateway.store.read(lambda: list(AuditLog.select()))
    return [(row.actor, row.action, row.target) for row in rows]


@pytest.mark.gen_test
async def test_a_new_user_gets_a_link_that_is_shown_once(serving):
    owner = await signed_in(serving)
    made = await owner.post(USERS, {"name": "eve", "role": "operator"})
    url = re.search(
        rf"{re.escape(serving.base_url)}/dashboard/link#([\w-]+)", made.html
    )
    assert made.headers["cache-control"] == "no-store"
    for path in (USERS, f"{USERS}/2"):
        page = await owner.get(path)
        assert url[1] not in page.html
        assert "no password yet" in page.text
    assert "A holder sees only" in (await owner.get(USERS)).text
    eve = Browser(serving)
    opened = await eve.post("/dashboard/link", {"token": url[1]})
    assert "A password for eve" in opened.text  # nothing of hers is to end
    assert "All other sessions" not in opened.text
    await eve.post("/dashboard/link", {"token": url[1], "password": NEW, "again": NEW})
    assert serving.gateway.sign_in.user_named("eve").role is Role.OPERATOR
    assert ("user:ada", "user.create", "eve") in await audited(serving)


@pytest.mark.gen_test
async def test_a_link_holds_when_the_page_that_shows_it_is_loaded_again(serving):
    owner = await signed_in(serving)
    eve = await add(serving, "eve", Role.VIEWER)
    page_of = f"{USERS}/{eve.id}"
    page = await owner.get(page_of)
    asked = {"action": "link", "once": page.fields["once"]}
    made = await owner.post(page_of, asked)
    token = re.search(r"/dashboard/link#([\w-]+)", made.html)[1]
    again = await owner.post(page_of, asked)
    assert (again.status, "sent already" in again.text) == (409, True)
    opened = await Browser(serving).post("/dashboard/link", {"token": token})
    assert "password for eve" in opened.text


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.gen_test
async def test_names_and_browsers_are_text(serving, attack):
    owner = await signed_in(serving)
    await owner.post(USERS, {"name": attack, "role": "viewer"})
    await add(serving, "bob")
    other = Browser(serving)
    page = await other.get("/dashboard/sign-in")
    sent = {
        "xsrf": page.fields["xsrf"],
        "name": "bob",
        "password": "correct horse battery",
    }
    await other._send("POST", "/dashboard/sign-in", sent, {"user_agent": attack})
    for path in (USERS, f"{USERS}/2", SESSIONS):
        page = await owner.get(path)
        assert page.status == 200
        assert attack in page.text
        assert "img" not in page.tags
        assert "<script>" not in page.html


@pytest.mark.gen_test
async def test_an_owner_changes_a_role_disables_enables_and_removes(serving):
    owner = await signed_in(serving)
    eve = await add(serving, "eve", Role.VIEWER)
    theirs, page_of = Browser(serving), f"{USERS}/{eve.id}"
    sign_in = serving.gateway.sign_in
    await enter(theirs, "eve")
    done = await owner.post(page_of, {"action": "role", "role": "operator"})
    assert done.headers["location"] == page_of
    assert sign_in.user_named("eve").role is Role.OPERATOR
    assert (await theirs.get(SESSIONS)).status == 303
    await owner.post(page_of, {"action": "disable"})
    assert (await enter(theirs, "eve")).status == 403
    asked = {"action": "link", "once": (await owner.get(page_of)).fields["once"]}
    refused = await owner.post(page_of, asked)
    assert (refused.status, "is disabled" in refused.text) == (400, True)
    await owner.post(page_of, {"action": "enable"})
    slip = await owner.post(page_of, {"action": "remove", "name": "ada"})
    assert (slip.status, "Type the name" in slip.text) == (400, True)
    gone = await owner.post(page_of, {"action": "remove", "name": "eve"})
    assert gone.headers["location"] == USERS
    assert sign_in.user_named("eve") is None
    assert (await owner.get(page_of)).status == 404
    changes = [row for row in await audited(serving) if row[0] == "user:ada"]
    assert [action for _, action, _ in changes if action.startswith("user.")] == [
        "user.role",
        "user.disable",
        "user.enable",
        "user.remove",
    ]


TAKEN_AWAY = [
    {"action": "role", "role": "viewer"},
    {"action": "disable"},
    {"action": "remove", "name": "ada"},
]


@pytest.mark.gen_test
async def test_the_last_owner_stays(serving):
    owner = await signed_in(serving)
    for action in TAKEN_AWAY:
        page = await owner.post(f"{USERS}/1", action)
        assert page.status == 400
        assert "the last owner" in page.text
    user = serving.gateway.sign_in.user_named("ada")
    assert (user.role, user.disabled) == (Role.OWNER, False)


NO_USERS = [
    {"name": "eve", "role": "guest"},
    {"name": "eve"},
    {"name": "ADA", "role": "viewer"},
    {"name": "", "role": "viewer"},
]


@pytest.mark.gen_test
async def test_a_user_who_cannot_be_is_not_made(serving):
    owner = await signed_in(serving)
    for wrong in NO_USERS:
        page = await owner.post(USERS, wrong)
        assert page.status == 400
    assert len(serving.gateway.sign_in.users) == 1


@pytest.mark.gen_test
async def test_users_see_and_end_their_own_sessions_and_owners_all(serving):
    owner = await signed_in(serving)
    viewer = await signed_in(serving, Role.VIEWER, "eve")
    mine, theirs = await viewer.get(SESSIONS), await owner.get(SESSIONS)
    assert "ada" not in mine.text.replace("as you", "")
    assert "eve" in theirs.text
    ids = {
        one.user_id: str(one.id)
        for one in serving.gateway.sign_in.sessions(time.time())
    }
    refused = await viewer.post(SESSIONS, {"session": ids[1]})
    assert refused.status == 404
    assert (await owner.get(SESSIONS)).status == 200
    ended = await owner.post(SESSIONS, {"session": ids[2]})
    assert ended.headers["location"] == SESSIONS
    assert (await viewer.get(SESSIONS)).status == 303
    assert ("user:ada", "session.end", "eve") in await audited(serving)


@pytest.mark.gen_test
async def test_a_keys_holders_session_is_shown_to_owners_and_ended_by_them(serving):
    owner, key = await signed_in(serving), await serving.add_key("laptop")
    holder = Browser(serving)
    await holder.post("/dashboard/sign-in", {"key": key})
    page = await owner.get(SESSIONS)
    assert "key laptop" in page.text
    number = re.search(r'name="session" value="(\d+)"', page.html)[1]
    await owner.post(SESSIONS, {"session": number})
    assert len(serving.gateway.sign_in.sessions(time.time())) == 1


ENDINGS = [
    lambda user: (change_role, user.id, Role.VIEWER, "test"),
    lambda user: (partial(disable_user, disabled=True), user.id, "test"),
    lambda user: (end_sessions, user.id),
]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.gen_test
async def test_a_form_that_is_still_arriving_ends_with_its_session(serving, ending):
    operator = await signed_in(serving, Role.OPERATOR, "eve")
    await signed_in(serving)
    await serving.add_key("laptop")
    token = (await operator.get("/dashboard/keys")).fields["xsrf"]
    body = f"xsrf={token}&key=laptop&switch=disable".encode()
    named = {
        "content_type": "application/x-www-form-urlencoded",
        "content_length": str(len(body)),
        "expect": "100-continue",
    }
    reader, writer = await serving.connect()
    writer.write(operator.head("/dashboard/keys", "POST", **named))
    assert b" 100 " in await reader.readuntil(b"\r\n\r\n")
    user = serving.gateway.sign_in.user_named("eve")
    await serving.gateway.store.write(*ending(user))
    await serving.gateway.sign_in.load()
    writer.write(body)
    answered = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    assert b"/dashboard/sign-in?next=" in answered
    (key,) = serving.gateway.ring
    assert not key.disabled
