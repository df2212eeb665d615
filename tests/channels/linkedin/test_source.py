"""What comes in: whether it is the provider's, and what it says."""

import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels.base import Account, ChannelEvent, InboundRequest, Rejected, Verified
from channels.linkedin.source import SOURCES
from channels.registry import CHANNELS
from tests.channels.linkedin.server import HOOK, seat

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SIGNED, WEAK = SOURCES
FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*.json"))
BODY = json.dumps(json.loads(FIXTURES[0].read_bytes())["body"]).encode()


def account(**settings: Any) -> Account:
    return seat(1, user_id="u-me", **settings)


def signed(body: bytes, at: datetime = NOW, secret: str = HOOK) -> InboundRequest:
    stamp = str(int(at.timestamp()))
    mark = hmac.new(secret.encode(), stamp.encode() + b"." + body, sha256).hexdigest()
    return InboundRequest({"unipile-signature": f"t={stamp},v0={mark}"}, body)


def parsed(body: object, by: Account | None = None) -> list[ChannelEvent]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return SIGNED.parse(InboundRequest({}, raw), by or account())


def status(request: InboundRequest, by: Account | None = None, at: datetime = NOW) -> int:
    found = SIGNED.verify(request, by or account(), at)
    return 200 if isinstance(found, Verified) else found.status


def test_both_doors_are_registered_and_only_one_is_trusted() -> None:
    assert CHANNELS["linkedin"].sources == SOURCES
    assert [(one.name, one.trust) for one in SOURCES] == [
        ("unipile", "signed"),
        ("unipile-header", "weak"),
    ]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_every_event(path: Path) -> None:
    found = json.loads(path.read_bytes())
    body = json.dumps(found["body"]).encode()
    assert isinstance(SIGNED.verify(signed(body), account(), NOW), Verified)
    (event,) = parsed(body)
    for name, wanted in found["wanted"].items():
        got = getattr(event, name)
        assert (got.isoformat() if isinstance(got, datetime) else got) == wanted, name
    assert parsed(body) == [event]


def test_the_doors_of_the_provider_agree_on_who_a_reply_is_from() -> None:
    one, two = (
        parsed(
            json.loads((Path(__file__).parent / "fixtures" / f"{name}.json").read_bytes())["body"]
        )
        for name in ("v1_message_received", "v2_message_new")
    )
    assert (one[0].external_id, one[0].user_ref) == (two[0].external_id, two[0].user_ref)


def test_our_own_message_is_known_by_our_address() -> None:
    body = json.loads(
        (Path(__file__).parent / "fixtures/v1_message_received_own.json").read_bytes()
    )
    del body["body"]["account_info"]
    (event,) = parsed(body["body"], seat(1))
    assert event.kind == "own_message"


def test_when_nothing_says_who_wrote_it_says_so() -> None:
    payload = {"id": "m", "sender_id": "u-9", "text": "Hei"}
    body = {"id": "evt", "account_id": "acc_1", "type": "message.new", "payload": payload}
    (event,) = parsed(body, seat(1))
    assert (event.kind, event.detail) == ("message", {"writer": "unclear"})
    (event,) = parsed(body)
    assert (event.kind, event.detail) == ("message", {})


def test_several_events_in_one_body_keep_their_own_part() -> None:
    one = {"id": "evt_1", "account_id": "acc_1", "type": "x", "payload": {}}
    found = parsed([one, {**one, "id": "evt_2"}, 7])
    assert [event.external_id for event in found[:2]] == ["evt_1", "evt_2"]
    assert [json.loads(event.detail["raw"]) for event in found] == [one, {**one, "id": "evt_2"}, 7]
    assert [event.kind for event in parsed([one] * 1001)] == ["unknown"]


# --- signatures ---


def test_a_signature_fits_within_five_minutes() -> None:
    assert status(signed(BODY)) == 200
    for minutes, wanted in ((-5, 200), (5, 200), (-6, 401), (6, 401)):
        assert status(signed(BODY), at=NOW + timedelta(minutes=minutes)) == wanted


def test_any_byte_of_the_body_counts() -> None:
    request = signed(BODY)
    for number in range(len(BODY)):
        other = bytearray(BODY)
        other[number] ^= 1
        assert status(replace(request, body=bytes(other))) == 401
    assert status(replace(request, body=BODY + b"\n")) == 401
    assert status(replace(request, body=BODY[:-1])) == 401


def test_any_character_of_the_signature_counts() -> None:
    request = signed(BODY)
    given = request.headers["unipile-signature"]
    for number in range(len(given)):
        for put in ("", "0", "f", "F", ",", "=", " ", "é"):
            other = given[:number] + put + given[number + 1 :]
            if other != given:
                assert status(replace(request, headers={"unipile-signature": other})) == 401, other


@pytest.mark.parametrize(
    "given",
    [
        *("", "t=,v0=", "v0=aa", "t=1764000000", "t=²,v0=aa", "t=-1,v0=aa", "t=1e9,v0=aa"),
        *("t=" + "9" * 5000 + ",v0=aa", "t=1,t=1,v0=aa", "v0=" + "a," * 9, "\x00", "\udc80"),
    ],
)
def test_a_signature_that_is_none(given: str) -> None:
    assert status(InboundRequest({"unipile-signature": given}, BODY)) == 401


def test_no_signature_no_secret_wrong_secret_wrong_door() -> None:
    assert status(InboundRequest({}, BODY)) == 401
    assert status(signed(BODY, secret="another")) == 401
    assert (
        status(signed(BODY, secret=""), replace(account(), secrets={"webhook_secret": ""})) == 403
    )
    assert status(signed(BODY), replace(account(), secrets={})) == 403
    assert status(signed(BODY), account(signature_scheme="static_header")) == 403
    assert status(signed(BODY), replace(account(), settings={"mode": "nonsense"})) == 403


def test_two_secrets_live_while_one_is_changed() -> None:
    secrets = {"webhook_secret": "new", "webhook_secret_old": HOOK}
    changing = replace(account(), secrets=secrets)
    assert (status(signed(BODY), changing), status(signed(BODY, secret="new"), changing)) == (
        200,
        200,
    )
    both = signed(BODY).headers["unipile-signature"] + ",v0=00"
    assert status(InboundRequest({"unipile-signature": both}, BODY)) == 200


def test_the_header_may_have_another_name() -> None:
    request = signed(BODY)
    moved = replace(request, headers={"x-unipile-signature": request.headers["unipile-signature"]})
    assert status(moved) == 401
    assert status(moved, account(signature_header="X-Unipile-Signature")) == 200


def test_a_header_of_our_own() -> None:
    seated = account(signature_scheme="static_header", signature_header="X-Avtale-Hook")
    for header, wanted in (
        (HOOK, Verified),
        (HOOK[:-1], Rejected),
        ("", Rejected),
        ("é", Rejected),
    ):
        request = InboundRequest({"x-avtale-hook": header}, BODY)
        assert isinstance(WEAK.verify(request, seated, NOW), wanted)
    assert isinstance(WEAK.verify(InboundRequest({}, BODY), seated, NOW), Rejected)
    assert isinstance(WEAK.verify(signed(BODY), account(), NOW), Rejected)


def test_a_rejection_tells_no_secret() -> None:
    found = SIGNED.verify(signed(BODY, secret="another"), account(), NOW)
    assert HOOK not in repr(found)


# --- anything at all ---

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["u-me", "u-1", "acc_1", "https://www.linkedin.com/in/ola", "\ud800", "\0"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("id", "message_id", "chat_id", "sender_id", "is_sender", "text", "timestamp"),
                    *(
                        "message",
                        "sender",
                        "reaction",
                        "reaction_sender",
                        "user",
                        "user_id",
                        "value",
                    ),
                    *("attendees", "profile_url", "provider_id", "account_id", "request_id", "ip"),
                    *("created_at", "url", "AccountStatus", "chat", "attendee_profile_url", "x"),
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)
_TYPES = st.sampled_from(
    [
        *("message.new", "message.receipt.read", "message.receipt.delivery", "tracking.open"),
        *("message.reaction.new", "relation.request.accept", "account.status.running", "x"),
        *("message_received", "message_read", "message_reaction", "new_relation", "tracking.click"),
    ]
)


def check(found: list[ChannelEvent]) -> None:
    for event in found:
        assert event.external_id
        assert event.occurred_at is None or event.occurred_at.tzinfo is not None


@given(st.binary(max_size=300), st.text(max_size=40))
@example(b"[" * 100_000, "")
@example(b'{"a":' * 100_000, "")
@example(b"1" * 5000, "")
@example(b"\xff\xfe\x00", "t=1,v0=1")
@example(b"[]", "")
@example(b"NaN", "")
def test_no_bytes_raise(body: bytes, header: str) -> None:
    request = InboundRequest({"unipile-signature": header}, body)
    for source in SOURCES:
        assert isinstance(source.verify(request, account(), NOW), Rejected)
        found = source.parse(request, account())
        assert found
        check(found)


@given(_TYPES, _JSON, _JSON, st.booleans())
def test_no_shape_raises(kind: str, payload: Any, account_id: Any, nested: bool) -> None:
    version_2 = {"id": "evt", "account_id": account_id, "type": kind, "payload": payload}
    flat = {**(payload if isinstance(payload, dict) else {}), "event": kind}
    for body in (version_2, flat, {"AccountStatus": payload}, payload):
        for one in (body, {**version_2, "account_id": "acc_1"}, {**flat, "account_id": "acc_1"}):
            raw = json.dumps([one] if nested else one).encode()
            check(SIGNED.parse(InboundRequest({}, raw), account()))
