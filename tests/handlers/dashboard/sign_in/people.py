"""Users with a password that is checked quickly, for the tests of pages."""

import time

import pyotp

from gateway.sign_in import links
from gateway.sign_in.account_rows import add_user
from gateway.sign_in.guesses import Guesses, subjects_of
from gateway.sign_in.users import Role
from gateway.store.users.tables import FailedSignInRow
from tests.gateway.sign_in.conftest import CHEAP, PASSWORD
from tests.handlers.dashboard.browsing import HERE, Browser

__all__ = ["PASSWORD"]

SIGN_IN = "/dashboard/sign-in"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


async def add(serving, name="ada", role=Role.OWNER):
    await serving.gateway.store.write(add_user, name, role, CHEAP)
    await serving.gateway.sign_in.load()
    return serving.gateway.sign_in.user_named(name)


async def make_link(serving, user_id=links.NOBODY):
    return await serving.gateway.store.write(links.make_link, user_id, time.time())


async def enter(browser, name="ada", password=PASSWORD, **fields):
    """The answer to the sign-in's form."""
    return await browser.post(SIGN_IN, {"name": name, "password": password, **fields})


async def entered(serving, name="ada", role=Role.OWNER):
    """A browser in which a new user has signed in by the form."""
    await add(serving, name, role)
    browser = Browser(serving)
    assert (await enter(browser, name)).status == 303
    return browser


def forget_guesses(serving):
    """As if an hour had passed."""
    store = serving.gateway.store
    store.writer.submit(FailedSignInRow.delete().execute)
    serving.gateway.sign_in.guesses = Guesses(store)


def guess_often(serving, name):
    """As if somebody had guessed at an account just now, and before."""
    subjects = subjects_of(name, None, HERE)
    forget_guesses(serving)
    row = {"failures": 9, "last_at": int(time.time() * 1000)}
    rows = [{"subject": subject, **row} for subject in subjects]
    serving.gateway.store.writer.submit(FailedSignInRow.replace_many(rows).execute)


async def grow_old(serving):
    """As if all had signed in longer than ten minutes ago."""
    await serving.gateway.store.write(_grow_old)
    await serving.gateway.sign_in.load()


def _grow_old():
    from gateway.store.users.tables import SessionRow

    SessionRow.update(signed_in_at=SessionRow.signed_in_at - 600_000).execute()


def authenticator_code(secret=SECRET, ahead=0):
    return pyotp.TOTP(secret).at(time.time(), counter_offset=ahead)
