"""What leaves: ids and reasons under a closed list of kinds, and nothing that says who it is."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules import outbound_events as events

AT = datetime(2026, 11, 24, 10, 0, 0, 5000, tzinfo=timezone(timedelta(hours=1)))
WHO = UUID("01a20833-b11e-7624-9e7c-bc1be0929790")


def line(kind: str, **detail: Any) -> dict[str, Any]:
    return {
        "id": 41, "at": AT, "kind": kind, "prospect_id": WHO, "enrollment_id": None,
        "message_id": None, "detail": detail,
    }  # fmt: skip


def test_the_shape() -> None:
    kind, body = events.body(
        line("enrollment.unlocked", unlock=str(WHO), engagement="e-1", step="offer", was="active")
    )
    assert kind == "unlock.created"
    assert json.loads(body) == {
        "id": "41",
        "type": "unlock.created",
        "created_at": "2026-11-24T09:00:00.005000Z",
        "data": {
            "prospect_id": str(WHO),
            "unlock_id": str(WHO),
            "engagement_id": "e-1",
            "step": "offer",
        },
    }


@pytest.mark.parametrize(
    ("detail", "data"),
    [
        ({"reason": "answered elsewhere"}, {"reason": "answered elsewhere"}),
        ({"reason": "company: opt_out"}, {"reason": "company: opt_out"}),
        ({"reason": "ola@prospect.example asked"}, {"reason": "other"}),
        ({"reason": "call +47 22 22 55 55"}, {"reason": "other"}),
        ({"reason": "call 22225555"}, {"reason": "other"}),
        ({"reason": "Åse sa nei"}, {"reason": "other"}),
        ({"reason": "x" * 200}, {"reason": "other"}),
        ({"reason": None}, {}),
        ({"name": "Ola Hansen", "address": "ola@prospect.example"}, {}),
    ],
)
def test_what_is_not_listed_stays_here(detail: dict[str, Any], data: dict[str, Any]) -> None:
    _, body = events.body(line("enrollment.stopped", **detail))
    assert json.loads(body)["data"] == {"prospect_id": str(WHO)} | data


@given(
    st.sampled_from(events.KINDS),
    st.dictionaries(
        st.sampled_from(["reason", "step", "task", "missing", "class", "due", "by", "name"]),
        st.one_of(st.emails(), st.lists(st.emails(), max_size=2)),
    ),
)
def test_no_address_leaves_whatever_a_detail_holds(kind: str, detail: dict[str, Any]) -> None:
    told = "enrollment.unlocked" if kind == "unlock.created" else kind
    assert b"@" not in events.body(line(told, **detail))[1]


def test_patterns() -> None:
    assert events.check(["booking.*", "*", "booking.*"]) == ["booking.*", "*"]
    for wrong in ([], ["booking"], ["bookings.*"], ["*.made"], ["prospect.paused"], [""]):
        with pytest.raises(ValueError, match="kind"):
            events.check(wrong)
    assert events.matches(["*"], "task.done")
    assert events.matches(["task.*"], "task.done")
    assert events.matches(["message.sent", "task.done"], "task.done")
    assert not events.matches(["message.*", "task.opened"], "task.done")
    assert events.history_kinds(["unlock.*"]) == ["enrollment.unlocked"]
    assert "enrollment.unlocked" not in events.history_kinds(["enrollment.*"])
    assert set(events.AREAS) == {
        "enrollment", "message", "engagement", "unlock", "booking", "task",
    }  # fmt: skip


def test_inner_workings_are_not_told() -> None:
    told = {events.public_kind(kind) for kind in events.history_kinds(["*"])}
    assert told == set(events.KINDS)
    for kind in ("message.sending", "message.lease_expired", "prospect.paused", "clock.moved"):
        assert events.public_kind(kind) is None
        with pytest.raises(ValueError, match="not told"):
            events.body(line(kind))


def test_a_test_event_says_whose_it_is() -> None:
    document = json.loads(events.test_body(7, datetime(2026, 1, 1, tzinfo=UTC), WHO))
    assert document["type"] == events.TEST
    assert document["data"] == {"subscription_id": str(WHO)}
