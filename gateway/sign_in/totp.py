"""Six-digit codes of an authenticator (RFC 6238), and the codes for its loss."""

import hmac
import re
import secrets

import pyotp
import segno

from gateway.errors import InvalidPayload
from gateway.keys.key import digest

PERIOD = 30  # seconds
# A step before and after: of phones that go wrong by less than a minute.
DRIFT_STEPS = 1
RECOVERY_CODES = 10
_ISSUER = "Codex Gateway"
_SECRET = re.compile(r"[A-Z2-7]{32}")
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # without what is read for another


class WrongCode(InvalidPayload):
    message = "That is not the authenticator's code: is its clock right?"


class AlreadyOn(InvalidPayload):
    message = (
        "This authenticator is on already, and the recovery codes that were shown then "
        "hold. For new ones set it up anew"
    )


def new_secret() -> str:
    """160 random bits in base32."""
    return pyotp.random_base32()


def is_secret(text: str) -> bool:
    return _SECRET.fullmatch(text) is not None


def step_of(secret: str, code: str, now: float, last_step: int) -> int | None:
    """The step whose code it is, if that is after the last one used.

    `now` in unix seconds. Each step opens once.
    """
    typed = "".join(code.split()).encode("ascii", "replace")
    current, totp = int(now // PERIOD), pyotp.TOTP(secret)
    found = None
    for step in range(current - DRIFT_STEPS, current + DRIFT_STEPS + 1):
        is_same = hmac.compare_digest(totp.generate_otp(max(0, step)).encode(), typed)
        if is_same and step > last_step:
            found = step
    return found


def qr_code(secret: str, name: str) -> str:
    """An SVG element that an authenticator scans; black on white, without styles."""
    uri = pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=_ISSUER)
    drawn: str = segno.make(uri, micro=False).svg_inline(
        scale=4, dark="#000", light="#fff", svgclass="qr", lineclass=None
    )
    return drawn


def new_recovery_codes() -> list[str]:
    """Each of 80 random bits, so that its digest may rest without a salt."""
    return [
        "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))
        for _ in range(RECOVERY_CODES)
    ]


def recovery_digest(code: str) -> str:
    """Of one as it was typed, whatever stands between the letters."""
    return digest("".join(c for c in code.casefold() if c.isalnum())[:100])
