"""The fold of `verify` over a message's history: laws by hand, and by what may really happen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.verify import CHECKS, TABLES
from orchestrator.rules.verify_guards import GUARDS, missing
from orchestrator.rules.verify_history import STATES, Standing, Told, judge

SENDING, SENT = "message.sending", "message.sent"


def names(state: str, *lines: Told, fence: int = 9) -> list[str]:
    return [name for name, _ in judge(Standing(state, fence, fence), lines)]


@pytest.mark.parametrize(
    ("state", "lines", "found"),
    [
        ("pending", [], []),
        ("sent", [Told(SENDING, 1), Told(SENT, 1)], []),
        ("sent", [Told(SENDING, 1), Told("message.in_doubt", 1), Told(SENT, None, "a person")], []),
        ("retry_wait", [Told(SENDING, 1), Told("message.released", 1)], []),
        ("sent", [], ["message_history", "sent_without_handover"]),
        ("pending", [Told(SENDING, 1), Told(SENT, 1)], ["message_history"]),
        ("sent", [Told(SENT, 1)], ["sent_without_handover"]),
        ("sent", [Told("message.in_doubt", None, "restore"), Told(SENT, None, "a person")], []),
        ("sending", [Told(SENDING, 1), Told(SENDING, 2)], ["handed_over_twice"]),
        # A lease that expired says nothing about a hand-over before it.
        (
            "sending",
            [Told(SENDING, 1), Told("message.lease_expired", 1), Told(SENDING, 2)],
            ["handed_over_twice"],
        ),
        ("sending", [Told(SENDING, 1), Told("message.retry_wait", 1), Told(SENDING, 2)], []),
        ("sent", [Told(SENDING, 1), Told(SENT, 1), Told(SENT, 1)], ["sent_twice"]),
        ("sending", [Told(SENDING, 12)], ["message_fence"]),
    ],
)
def test_what_history_says(state: str, lines: list[Told], found: list[str]) -> None:
    assert names(state, *lines) == found


_ROUND = st.sampled_from(
    [
        (),
        ("message.lease_expired",),
        (SENDING, "message.retry_wait"),
        (SENDING, "message.released"),
        (SENDING, "message.in_doubt", "message.retry_wait"),
    ]
)
_END = st.sampled_from(
    [
        ("sent", (SENDING, SENT)),
        ("sent", (SENDING, "message.in_doubt", SENT)),
        ("failed", (SENDING, "message.failed")),
        ("failed", ("message.failed",)),
        ("abandoned", (SENDING, "message.in_doubt", "message.abandoned")),
        ("cancelled", ("message.cancelled",)),
        ("suppressed", ("message.suppressed",)),
        ("sending", (SENDING,)),
        ("in_doubt", (SENDING, "message.in_doubt")),
    ]
)


@given(st.lists(_ROUND, max_size=6), _END)
def test_whatever_the_protocol_does_is_clean(
    rounds: list[tuple[str, ...]], end: tuple[str, tuple[str, ...]]
) -> None:
    state, last = end
    lines = [Told(kind, fence) for fence, kinds in enumerate([*rounds, last], 1) for kind in kinds]
    assert names(state, *lines, fence=len(rounds) + 1) == []


@given(st.lists(_ROUND, max_size=4), _END, st.data())
def test_a_hand_over_without_a_proof_before_it_is_found(
    rounds: list[tuple[str, ...]], end: tuple[str, tuple[str, ...]], data: st.DataObject
) -> None:
    """L2: wherever a line of proof is taken out, what follows it is a repeat."""
    lines = [Told(kind, n) for n, kinds in enumerate(rounds, 1) for kind in kinds]
    proofs = [
        n for n, one in enumerate(lines) if one.kind in ("message.retry_wait", "message.released")
    ]
    tail = [Told(SENDING, 9), Told(SENT, 9)]
    if proofs:
        lines.pop(data.draw(st.sampled_from(proofs)))
        assert "handed_over_twice" in names("sent", *lines, *tail)


def test_every_state_of_a_message_is_known() -> None:
    known = set().union(*STATES.values())
    assert known == {
        "pending", "leased", "sending", "sent", "retry_wait", "failed", "in_doubt", "abandoned",
        "cancelled", "suppressed",
    }  # fmt: skip


def test_each_check_says_what_it_means_and_what_to_do() -> None:
    assert len(CHECKS) > 50
    assert set(TABLES) == {check.of for check in CHECKS.values() if check.of}
    for check in CHECKS.values():
        assert check.means
        assert check.act.endswith(".")


def test_a_guard_that_is_off_is_named() -> None:
    assert missing(GUARDS) == []
    assert missing(GUARDS - {"message_transition"}) == ["message_transition"]
