"""What is derived from the secret key, against the standard library."""

import hmac
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.keys import _Mac


@given(key=st.binary(max_size=64), value=st.binary(max_size=300))
def test_a_prepared_key_gives_what_hmac_gives(key: bytes, value: bytes) -> None:
    made = _Mac(key)
    assert made(value) == hmac.digest(key, value, sha256)
    assert made(value) == made(value)
