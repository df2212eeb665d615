"""Lines that were broken for their width only are joined; meant ones stay."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.reflow import reflow

LONG = "Mange kontorer har sluttet å taste bilag for hånd og bruker timene på"


def test_a_wrapped_paragraph_is_one_line() -> None:
    assert reflow(f"Hei.\r\n\r\n{LONG}\r\nrådgivning i stedet.") == (
        f"Hei.\n\n{LONG} rådgivning i stedet."
    )


def test_meant_breaks_stay() -> None:
    for text in (
        "Hilsen\nKari",
        f"{LONG}\n- en liste",
        f"{LONG}\n\nNytt avsnitt",
        f"{LONG}\nhttps://sender.example/notat",
        f"{LONG}\n  innrykk",
    ):
        assert reflow(text) == text


@given(st.text())
def test_no_word_is_lost(text: str) -> None:
    assert reflow(text).split() == text.split()
