"""What a form sent, and the token that shows it was one of our pages'."""

import hmac
import re
from collections.abc import Mapping

from tornado.httputil import HTTPFile, HTTPInputError, parse_body_arguments

from gateway.errors import ForbiddenOrigin, GatewayError, InvalidPayload
from gateway.protocol.facts import Origin

# An auth.json of an account is 10 kB; nothing else that is typed or sent is larger.
MAX_FORM_BYTES = 256 * 1024
TOKEN_FIELD = "xsrf"
TOKEN_HEADER = "x-xsrf"  # of what a script sends
# Where a form may lead on to: nothing but a path of ours, and no way up from it.
_OWN_PAGE = re.compile(
    r"/dashboard/(?!/|.*(?:\.|%2[eE]){2})[!-\[\]-~]{0,500}"
    r"|/device|/oauth/authorize\?[!-\[\]-~]{0,2000}"
)


class FormExpired(GatewayError):
    """The page was made for another session."""

    status = 403
    code = "form_expired"
    type = "permission_error"
    message = "This page was open for too long: load it again, then repeat it"
    origin: Origin = "client"


class SentForm(dict[str, str]):
    """A form's fields, of a repeated one the last; `files` by name, `many` all."""

    def __init__(
        self, many: Mapping[str, list[str]], files: Mapping[str, bytes]
    ) -> None:
        super().__init__({name: values[-1] for name, values in many.items()})
        self.many = many
        self.files = files


def read_form(content_type: str, body: bytes) -> SentForm:
    """Urlencoded or multipart; raises InvalidPayload."""
    arguments: dict[str, list[bytes]] = {}
    files: dict[str, list[HTTPFile]] = {}
    try:
        parse_body_arguments(content_type, body, arguments, files)
        many = {
            name: [value.decode() for value in values]
            for name, values in arguments.items()
        }
    except (HTTPInputError, UnicodeDecodeError) as error:
        raise InvalidPayload("The form cannot be read") from error
    if any("\0" in value for values in many.values() for value in values):
        raise InvalidPayload("There is a NUL character in the form")
    sent = {name: found[-1]["body"] for name, found in files.items()}
    return SentForm(many, sent)


def own_page(given: str) -> str:
    """A page of the dashboard to go on to; "" for any other address."""
    return given if _OWN_PAGE.fullmatch(given) else ""


def check_token(form: SentForm, headers: Mapping[str, str], expected: str) -> None:
    """Raises FormExpired, or ForbiddenOrigin for a form without any token."""
    given = form.pop(TOKEN_FIELD, "") or headers.get(TOKEN_HEADER, "")
    if not given:
        raise ForbiddenOrigin
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise FormExpired
