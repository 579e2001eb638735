"""Which pages a user is shown the way to, and which of them it is on."""

import pytest

from gateway.sign_in.users import Role, User
from handlers.dashboard.navigation import MAIN, MORE, can_open, page_links


def links(role, path="/dashboard/"):
    user = role and User(id=1, name="ada", role=role, password=None)
    return [link for place in (MAIN, MORE) for link in page_links(place, user, path)]


def test_a_role_is_shown_the_pages_it_may_see():
    shown = {role: {link.label for link in links(role)} for role in Role}
    assert shown[Role.VIEWER] < shown[Role.OPERATOR] < shown[Role.OWNER]
    assert {"Overview", "Usage", "Audit", "Sessions"} <= shown[Role.VIEWER]
    assert "Doctor" in shown[Role.OPERATOR] - shown[Role.VIEWER]
    assert "Users" in shown[Role.OWNER] - shown[Role.OPERATOR]
    urls = [link.url for link in links(Role.OWNER)]
    assert len(urls) == len(set(urls))
    assert links(None) == []


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("/dashboard/", "Overview"),
        ("/dashboard/keys", "Keys"),
        ("/dashboard/keys/ci/rotate", "Keys"),
        ("/dashboard/requests/0192b3f5", "Requests"),
        ("/dashboard/keysmith", None),
    ],
)
def test_one_page_is_the_current_one(path, label):
    current = [link.label for link in links(Role.OWNER, path) if link.is_current]
    assert current == ([label] if label else [])


def test_a_page_below_another_may_be_opened_by_the_same_users():
    viewer, operator = (
        User(id=1, name="ada", role=role, password=None)
        for role in (Role.VIEWER, Role.OPERATOR)
    )
    assert can_open(viewer, "/dashboard/keys/ci?sort=name")
    assert not can_open(viewer, "/dashboard/doctor")
    assert can_open(operator, "/dashboard/doctor")
    assert not can_open(None, "/dashboard/")
