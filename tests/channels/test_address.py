"""The short way to a canonical address says what the library says."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels.email import address as addresses

_LABEL = st.from_regex(r"[a-zA-Z0-9-]{1,64}", fullmatch=True)
_LOCAL = st.from_regex(r"[a-zA-Z0-9._+-]{1,66}", fullmatch=True)
_TOPS = ("com", "no", "example", "test", "invalid", "local", "localhost", "onion", "arpa", "alt")
_TOP = st.sampled_from([*_TOPS, "internal", "c", "1a", "c0m"])


@given(
    st.builds(
        lambda local, labels, top: f"{local}@{'.'.join([*labels, top])}",
        *(_LOCAL, st.lists(_LABEL, max_size=4), _TOP),
    )
)
@example("Ola.Nordmann+news@Work.Example")
@example("a@xn--bcher-kva.example")
@example("a@ab--c.example")
@example(f"{'a' * 64}@b.no")
@example(f"{'a' * 65}@b.no")
@example(f"a@{'b' * 63}.no")
@example(f"a@{'b' * 64}.no")
@example(f"a@{'bcd.' * 62}no")
def test_the_short_way_leads_where_the_long_one_does(address: str) -> None:
    try:
        wanted = addresses._looked_over(address)
    except ValueError:
        with pytest.raises(ValueError, match="is no email address"):
            addresses.canonical_address(address)
    else:
        assert addresses.canonical_address(address) == wanted


def test_the_short_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "_looked_over", None)
    assert addresses.canonical_address("Ola.N@Work.Example") == "ola.n@work.example"
