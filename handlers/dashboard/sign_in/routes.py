"""The pages by which people come in, and those about who may."""

from gateway.admission.client_address import AccessPolicy
from handlers.base import RouteEntry, RouteOptions
from handlers.dashboard.sign_in.first_run import FirstRunPage
from handlers.dashboard.sign_in.links import LinkPage
from handlers.dashboard.sign_in.own_sign_in import (
    AuthenticatorPage,
    FirstAuthenticatorPage,
    SecurityPage,
)
from handlers.dashboard.sign_in.signing_in import ConfirmPage, SignInPage, SignOutPage
from handlers.dashboard.sign_in.users import SessionsPage, UserPage, UsersPage

_PAGE = RouteOptions(access=AccessPolicy.SIDE)

SIGN_IN_ROUTES: list[RouteEntry] = [
    (r"/dashboard/sign-in", SignInPage, _PAGE),
    (r"/dashboard/sign-out", SignOutPage, _PAGE),
    (r"/dashboard/confirm", ConfirmPage, _PAGE),
    (r"/dashboard/link", LinkPage, _PAGE),
    (r"/dashboard/first-run", FirstRunPage, _PAGE),
    (r"/dashboard/first-run/authenticator", FirstAuthenticatorPage, _PAGE),
    (r"/dashboard/security", SecurityPage, _PAGE),
    (r"/dashboard/security/authenticator", AuthenticatorPage, _PAGE),
    (r"/dashboard/users", UsersPage, _PAGE),
    (r"/dashboard/users/([0-9]{1,9})", UserPage, _PAGE),
    (r"/dashboard/sessions", SessionsPage, _PAGE),
]
