"""`dashboard link`, where no gateway runs."""

import re

LINK = re.compile(r"http://127\.0\.0\.1:1/dashboard/link#[\w-]{43}")


def test_it_prints_the_first_users_link_alone(commands):
    done = commands.good("dashboard", "link")
    assert LINK.fullmatch(done.out.strip())
    assert "It makes the first user, once, until" in done.err
    row = commands.good("dashboard", "link", "--json").row
    assert LINK.fullmatch(row["url"])
    assert row["user"] is None
    audit = commands.rows("audit")
    assert [(one["action"], one["target"]) for one in audit] == [
        ("user.link", "the first user")
    ] * 2
    assert row["url"].partition("#")[2] not in str(audit)


def test_it_is_the_public_urls_where_one_is_set(commands):
    url = "https://gateway.example"
    out = commands.good("dashboard", "link", GATEWAY_PUBLIC_URL=url).out
    assert out.startswith(f"{url}/dashboard/link#")


def test_a_user_that_is_none_has_no_link(commands):
    done = commands("dashboard", "link", "--user", "ada")
    assert (done.status, done.out) == (1, "")
    assert "There is no user 'ada'" in done.err


def test_it_says_that_the_dashboard_is_off(commands):
    done = commands.good("dashboard", "link", GATEWAY_DASHBOARD="off")
    assert "GATEWAY_DASHBOARD is off" in done.err
