"""Slack's two doors: whose requests they take, and what they read in them."""

import hashlib
import hmac
import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from channels.base import Account, InboundRequest, Rejected, Verified
from channels.registry import sources
from channels.slack import SOURCES
from channels.slack.source import SlackSource
from tests.channels.slack_server import SECRETS, slack_account

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
FIXTURES = sorted((Path(__file__).parent / "slack" / "fixtures").glob("*.json"))
VECTORS = Path(__file__).parents[3] / "shared" / "corpora" / "webhooks" / "vectors.json"
EVENTS, ACTIONS = SOURCES
HUMAN = {"message", "button", "reaction", "acceptance"}


def account(reach: str = "workspace") -> Account:
    """A sender with a colleague in its shared channels."""
    return slack_account(1, reach=reach, colleagues=["U0COLLEAGUE"])


def signed(
    body: bytes, *, at: datetime = NOW, secret: str = SECRETS["signing_secret"], **headers: str
) -> InboundRequest:
    """`body` as Slack sends it."""
    stamp = str(int(at.timestamp()))
    mac = hmac.digest(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hex()
    given = {
        "content-type": "application/json",
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": f"v0={mac}",
    }
    return InboundRequest(given | {name.replace("_", "-"): v for name, v in headers.items()}, body)


def form(payload: Any) -> InboundRequest:
    """`payload` as interactivity sends it."""
    body = urlencode({"payload": json.dumps(payload)}).encode()
    return signed(body, content_type="application/x-www-form-urlencoded")


def fixture(path: Path) -> tuple[InboundRequest, InboundRequest, Account, list[dict[str, Any]]]:
    """As JSON, as a form, whose it is, and what it means."""
    found = json.loads(path.read_text())
    body = json.dumps(found["body"], ensure_ascii=False).encode()
    return signed(body), form(found["body"]), account(found["reach"]), found["events"]


def test_the_registry_has_both_doors() -> None:
    assert {source.name for source in sources()} >= {"slack", "slack-actions"}
    assert all(source.trust == "signed" and source.channel == "slack" for source in SOURCES)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_every_kind_of_event_is_read(path: Path, source: SlackSource) -> None:
    *requests, whose, wanted = fixture(path)
    for request in requests:
        assert source.verify(request, whose, NOW) == Verified()
        events = source.parse(request, whose)
        assert len(events) == len(wanted)
        for event, values in zip(events, wanted, strict=True):
            shown = {**asdict(event), "message_id": event.message_id and str(event.message_id)}
            assert {name: shown[name] for name in values} == values
            assert event.external_id


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_a_retry_has_the_same_id(path: Path) -> None:
    request, _, whose, _ = fixture(path)
    later = signed(
        request.body,
        at=NOW + timedelta(minutes=5),
        x_slack_retry_num="2",
        x_slack_retry_reason="http_timeout",
    )
    ids = [event.external_id for event in EVENTS.parse(request, whose)]
    assert ids == [event.external_id for event in EVENTS.parse(later, whose)]
    assert len(set(ids)) == len(ids)


def test_times_are_of_the_event() -> None:
    path = next(path for path in FIXTURES if path.stem == "message_im")
    (event,) = EVENTS.parse(fixture(path)[0], account())
    assert event.occurred_at is not None
    assert event.occurred_at.timestamp() == pytest.approx(1790000100.0002)


def test_nothing_that_we_or_a_machine_did_is_a_persons_doing() -> None:
    for path in FIXTURES:
        request, _, whose, wanted = fixture(path)
        kinds = {event.kind for event in EVENTS.parse(request, whose)}
        if {one["kind"] for one in wanted}.isdisjoint(HUMAN):
            assert kinds.isdisjoint(HUMAN)


def test_a_handshake_is_answered_with_its_challenge() -> None:
    body = json.dumps({"type": "url_verification", "token": "x", "challenge": "3eZbrw1a"}).encode()
    verdict = EVENTS.verify(signed(body), account(), NOW)
    assert verdict == Verified(answer=("application/json", b'{"challenge": "3eZbrw1a"}'))
    unsigned = InboundRequest({"content-type": "application/json"}, body)
    assert isinstance(EVENTS.verify(unsigned, account(), NOW), Rejected)
    for challenge in (None, 7, "", "a\nb", ["x"]):
        body = json.dumps({"type": "url_verification", "challenge": challenge}).encode()
        verdict = EVENTS.verify(signed(body), account(), NOW)
        assert isinstance(verdict, Rejected)
        assert verdict.status == 400


BODY = b'{"type": "event_callback", "event": {}}'
GOOD = signed(BODY)


def rejected(request: InboundRequest, status: int = 401, now: datetime = NOW, **kw: Any) -> None:
    """`request` gets that 4xx, whoever's door it knocks at."""
    for source in SOURCES:
        verdict = source.verify(request, kw.get("whose") or account(), now)
        assert isinstance(verdict, Rejected), request
        assert verdict.status == status
        assert SECRETS["signing_secret"] not in verdict.reason


def headers(**values: str | None) -> InboundRequest:
    """The good request with other headers."""
    made = dict(GOOD.headers)
    for name, value in values.items():
        made.pop(name.replace("_", "-"))
        if value is not None:
            made[name.replace("_", "-")] = value
    return replace(GOOD, headers=made)


SIGNATURE = GOOD.headers["x-slack-signature"]


@pytest.mark.parametrize(
    "signature",
    [
        *(None, "", "v0=", "v0=å", "\ud800", "v1=00", "\x00" * 67),
        *(SIGNATURE[:-1], SIGNATURE.upper(), SIGNATURE[3:], SIGNATURE + " "),
    ],
)
def test_another_signature_is_rejected(signature: str | None) -> None:
    rejected(headers(x_slack_signature=signature))


@pytest.mark.parametrize(
    "stamp",
    [None, "", "now", "1e9", "-1", "1.5", "٣", "9" * 400, "nan", "inf", " 1790000000", "\ud800"],
)
def test_a_timestamp_that_is_no_number_is_rejected(stamp: str | None) -> None:
    rejected(headers(x_slack_request_timestamp=stamp))


@pytest.mark.parametrize("seconds", [301, 302, 86_400, -301, -86_400])
def test_stale_and_future_requests_are_rejected(seconds: int) -> None:
    rejected(GOOD, now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [0, 299, 300, -299, -300])
def test_five_minutes_are_borne(seconds: int) -> None:
    assert EVENTS.verify(GOOD, account(), NOW + timedelta(seconds=seconds)) == Verified()


def test_another_secret_or_none_is_rejected() -> None:
    rejected(signed(BODY, secret="another"))
    for secrets in ({}, {"signing_secret": ""}):
        rejected(signed(BODY, secret=""), whose=replace(account(), secrets=secrets))


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"null", b'"x"', b"[" * 100_000, b"\xff\xfe", b"\0", b'{"a":' * 9999),
        *(b"1" * 10_000, b"payload=", b"payload={", b"payload=[]", b"payload=%00"),
    ],
)
def test_a_body_that_cannot_be_read_is_a_400(body: bytes) -> None:
    rejected(signed(body), 400)
    assert [event.kind for event in EVENTS.parse(signed(body), account())] == ["unknown"]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    body=st.binary(max_size=300),
    stamp=st.text(max_size=20),
    signature=st.text(max_size=80),
    kind=st.sampled_from(["application/json", "application/x-www-form-urlencoded", "é"]),
)
@example(body=b"", stamp="9" * 400, signature="v0=\ud800", kind="")
def test_no_bytes_make_a_door_fall(body: bytes, stamp: str, signature: str, kind: str) -> None:
    for source in SOURCES:
        loose = InboundRequest(
            {"content-type": kind, "x-slack-request-timestamp": stamp}
            | {"x-slack-signature": signature},
            body,
        )
        assert isinstance(source.verify(loose, account(), NOW), Rejected)
        good = signed(body, content_type=kind)
        assert isinstance(source.verify(good, account(), NOW), Verified | Rejected)
        for event in source.parse(good, account()):
            assert event.external_id


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_change_to_a_real_event_makes_a_door_fall(data: st.DataObject) -> None:
    """Anything in the place of anything, at any depth."""
    found = json.loads(data.draw(st.sampled_from(FIXTURES)).read_text())
    node: Any = found["body"]
    while True:
        key = data.draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
        inner = node[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            break
        node = inner
    node[key] = data.draw(_JSON)
    for request in (signed(json.dumps(found["body"]).encode()), form(found["body"])):
        for event in EVENTS.parse(request, account(found["reach"])):
            assert event.external_id
            # Fit for a text column and for JSON.
            shown = json.dumps([event.text, dict(event.detail), event.user_ref, event.external_id])
            assert "\\u0000" not in shown
            shown.encode()
            event.text.encode()


def vectors() -> list[dict[str, str]]:
    """The published examples for Slack."""
    if not VECTORS.exists():
        pytest.skip("../shared/corpora is not here")
    found: list[dict[str, str]] = json.loads(VECTORS.read_text())["slack"]
    return found


def of_vector(vector: dict[str, str]) -> tuple[InboundRequest, Account, datetime]:
    """The request, the account that it is for, and its time."""
    request = InboundRequest(
        {
            "content-type": "application/x-www-form-urlencoded",
            "x-slack-request-timestamp": vector["timestamp"],
            "x-slack-signature": vector["signature"],
        },
        vector["body"].encode(),
    )
    whose = replace(account(), secrets={"signing_secret": vector["secret"]})
    return request, whose, datetime.fromtimestamp(int(vector["timestamp"]), UTC)


@pytest.mark.corpus
def test_slacks_own_example_verifies_and_does_nothing() -> None:
    for vector in vectors():
        request, whose, at = of_vector(vector)
        assert EVENTS.verify(request, whose, at) == Verified()
        assert [event.kind for event in EVENTS.parse(request, whose)] == ["unknown"]


@pytest.mark.corpus
def test_every_change_of_one_byte_fails() -> None:
    for vector in vectors():
        request, whose, at = of_vector(vector)
        for position in range(len(request.body)):
            for flip in (0x01, 0x20, 0x80):
                body = bytearray(request.body)
                body[position] ^= flip
                rejected(replace(request, body=bytes(body)), now=at, whose=whose)
        for body in (request.body[:-1], request.body + b"&", b""):
            rejected(replace(request, body=body), now=at, whose=whose)
        for name in ("x-slack-signature", "x-slack-request-timestamp"):
            value = request.headers[name]
            for position in range(len(value)):
                other = chr(ord(value[position]) ^ 1)
                changed = value[:position] + other + value[position + 1 :]
                given_headers = {**request.headers, name: changed}
                rejected(replace(request, headers=given_headers), now=at, whose=whose)
