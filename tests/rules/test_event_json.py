"""Channel events as JSON: what was put in comes out, and PostgreSQL takes it whatever it holds."""

import json
from datetime import UTC
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine

from channels.base import BounceClass, ChannelEvent, EventKind
from orchestrator.db import transaction
from orchestrator.rules import event_json

_storable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _storable,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_storable, inner, max_size=4),
    max_leaves=12,
)


def events(words: st.SearchStrategy[str], detail: st.SearchStrategy[Any]) -> Any:
    """Events with these texts and details."""
    maybe = st.none() | words
    return st.builds(
        ChannelEvent,
        kind=st.sampled_from(get_args(EventKind)),
        external_id=words,
        occurred_at=st.none() | st.datetimes(timezones=st.sampled_from([UTC, UTC])),
        address=maybe,
        user_ref=maybe,
        thread_ref=maybe,
        provider_ref=maybe,
        message_id=st.none() | st.uuids(),
        rfc_message_id=maybe,
        text=words,
        choice=st.sampled_from([None, "more", "later", "never"]),
        bounce=st.none() | st.sampled_from(get_args(BounceClass)),
        account_ok=st.none() | st.booleans(),
        ip=maybe,
        user_agent=maybe,
        detail=st.dictionaries(words, detail, max_size=4),
    )


@given(events(_storable, _json))
def test_what_goes_in_comes_out(event: ChannelEvent) -> None:
    assert event_json.decode(json.loads(json.dumps(event_json.encode(event)))) == event


@given(events(st.text(max_size=20), st.text() | st.floats() | st.binary() | st.integers()))
def test_whatever_it_holds_it_becomes_plain_json(event: ChannelEvent) -> None:
    encoded = event_json.encode(event)
    written = json.dumps(encoded, allow_nan=False, ensure_ascii=False)
    written.encode()  # no half of a surrogate pair
    assert "\\u0000" not in written
    again = event_json.encode(event_json.decode(json.loads(written)))
    assert again == encoded


async def test_postgresql_takes_what_json_may_hold(engine: AsyncEngine) -> None:
    deep: Any = "x"
    for _ in range(500):
        deep = [deep]
    hostile = {"a\0": "\0", "b": "\ud800", "c": float("inf"), "d": 10**400, "e": deep, "f": -0.0}
    value = event_json.encode(
        ChannelEvent("unknown", "x\0\udfff", text="\ud83d\ude00", detail=hostile)
    )
    query = text("select cast(:v as jsonb)").bindparams(bindparam("v", type_=JSONB))
    async with transaction(engine) as conn:
        stored = (await conn.execute(query, {"v": value})).scalar_one()
    assert event_json.decode(stored).text == "😀"


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"kind": "read"},
        {"external_id": "x"},
        {"kind": [], "external_id": "x"},
        {"kind": "read", "external_id": "x", "occurred_at": "soon"},
        {"kind": "read", "external_id": "x", "message_id": 7},
    ],
)
def test_what_is_no_event_says_so(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        event_json.decode(value)


def test_a_kind_of_a_later_version_is_unknown() -> None:
    later = {"kind": "telepathy", "external_id": "x", "mood": "good", "bounce": "soft"}
    assert event_json.decode(later) == ChannelEvent("unknown", "x")
