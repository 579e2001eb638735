import re

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sign_in import totp

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NOW = 1_800_000_015.0
STEP = int(NOW // totp.PERIOD)


def code(step):
    return pyotp.TOTP(SECRET).generate_otp(step)


@pytest.mark.parametrize(
    ("step", "is_good"),
    [
        (STEP - 2, False),
        (STEP - 1, True),
        (STEP, True),
        (STEP + 1, True),
        (STEP + 2, False),
    ],
)
def test_a_clock_may_go_wrong_by_one_step(step, is_good):
    found = totp.step_of(SECRET, code(step), NOW, 0)
    assert found == (step if is_good else None)


def test_a_step_opens_once_and_none_before_it():
    assert totp.step_of(SECRET, code(STEP), NOW, STEP) is None
    assert totp.step_of(SECRET, code(STEP - 1), NOW, STEP) is None
    assert totp.step_of(SECRET, code(STEP + 1), NOW, STEP) == STEP + 1


def test_a_code_may_be_typed_with_a_space():
    written = code(STEP)
    assert totp.step_of(SECRET, f" {written[:3]} {written[3:]} ", NOW, 0) == STEP


@given(st.text(max_size=30))
def test_no_other_text_is_a_code(text):
    good = {code(STEP + n) for n in (-1, 0, 1)}
    found = totp.step_of(SECRET, text, NOW, 0)
    assert (found is not None) == ("".join(text.split()) in good)


def test_the_picture_is_black_on_white_and_has_no_style():
    drawn = totp.qr_code(totp.new_secret(), '"><script>alert(1)</script>')
    assert drawn.startswith("<svg")
    assert '"#000"' in drawn
    assert '"#fff"' in drawn
    assert not re.search("style|script|xmlns:|href", drawn)


def test_recovery_codes_are_ten_and_read_however_they_are_typed():
    codes = totp.new_recovery_codes()
    assert len(set(codes)) == totp.RECOVERY_CODES
    typed = codes[0].upper().replace("-", " ")
    assert totp.recovery_digest(typed) == totp.recovery_digest(codes[0])
    assert len({totp.recovery_digest(one) for one in codes}) == totp.RECOVERY_CODES
    assert totp.is_secret(totp.new_secret())
    assert not totp.is_secret("AAAA")
