"""RFC 6238, appendix B, and what a code may not do twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules import totp

SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_vectors_of_the_standard(seconds: int, code: str) -> None:
    assert totp.code_at(SECRET, seconds // totp.STEP, digits=8) == code


@given(
    st.binary(min_size=20, max_size=20),
    st.integers(1_000_000_000, 4_000_000_000),
    st.integers(-3, 3),
)
def test_a_code_is_good_a_step_early_and_a_step_late(secret: bytes, now: int, off: int) -> None:
    step = now // totp.STEP + off
    code = totp.code_at(secret, step)
    near = {totp.code_at(secret, now // totp.STEP + one) for one in (-1, 0, 1)}
    found = totp.step_of(secret, code, seconds=now, after=None)
    assert (found is not None) == (code in near)


def test_a_code_is_good_once() -> None:
    step = 1111111111 // totp.STEP
    code = totp.code_at(SECRET, step)
    asked = {"seconds": 1111111111.0}
    assert totp.step_of(SECRET, f"{code[:3]} {code[3:]}", after=step - 1, **asked) == step
    assert totp.step_of(SECRET, code, after=step, **asked) is None


@pytest.mark.parametrize("code", ["", "12345", "1234567", "१२३४५६", "12345a", "-12345"])
def test_what_is_no_code_is_none(code: str) -> None:
    assert totp.step_of(SECRET, code, seconds=59, after=None) is None


def test_the_address_names_account_and_issuer() -> None:
    made = totp.address(SECRET, account="kari@office.example", issuer="Bilag & Bro")
    assert made == (
        "otpauth://totp/Bilag%20%26%20Bro:kari@office.example"
        "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Bilag%20%26%20Bro"
    )
    assert totp.spelled(SECRET).replace(" ", "") in made
