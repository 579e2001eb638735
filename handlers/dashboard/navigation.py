"""Where the dashboard's pages are, and who is shown the way to which."""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.sign_in.users import Role, User

MAIN = "main"
MORE = "more"


@dataclass(frozen=True, slots=True)
class PageLink:
    label: str
    url: str
    is_current: bool


# In the order they are shown; the least role that may see the page.
_PAGES = (
    (MAIN, "Overview", "/dashboard/", Role.VIEWER),
    (MAIN, "Live", "/dashboard/live", Role.VIEWER),
    (MAIN, "Requests", "/dashboard/requests", Role.VIEWER),
    (MAIN, "Conversations", "/dashboard/conversations", Role.VIEWER),
    (MAIN, "Usage", "/dashboard/usage", Role.VIEWER),
    (MAIN, "Accounts", "/dashboard/accounts", Role.VIEWER),
    (MAIN, "Keys", "/dashboard/keys", Role.VIEWER),
    (MORE, "Doctor", "/dashboard/doctor", Role.OPERATOR),
    (MORE, "Settings", "/dashboard/settings", Role.VIEWER),
    (MORE, "Prices", "/dashboard/prices", Role.VIEWER),
    (MORE, "Tool policy", "/dashboard/tools", Role.VIEWER),
    (MORE, "Recorder", "/dashboard/recorder", Role.OPERATOR),
    (MORE, "Audit", "/dashboard/audit", Role.VIEWER),
    (MORE, "Notices", "/dashboard/notices", Role.VIEWER),
    (MORE, "Users", "/dashboard/users", Role.OWNER),
    (MORE, "People", "/dashboard/people", Role.OWNER),
    (MORE, "Devices", "/dashboard/devices", Role.OWNER),
    (MORE, "Sessions", "/dashboard/sessions", Role.VIEWER),
)


def page_links(place: str, user: User | None, path: str) -> Iterator[PageLink]:
    """The links of a place for whoever is signed in; nobody gets none."""
    for where, label, url, least in _PAGES:
        if where == place and user is not None and user.role.includes(least):
            is_home = url.endswith("/")
            here = path == url if is_home else f"{path}/".startswith(f"{url}/")
            yield PageLink(label, url, here)


def can_open(user: User | None, url: str) -> bool:
    """Whether the user may see the page that a URL is of."""
    path = url.partition("?")[0]
    return any(
        link.is_current
        for place in (MAIN, MORE)
        for link in page_links(place, user, path)
    )
