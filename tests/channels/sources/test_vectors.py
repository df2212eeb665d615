"""Real signatures by SendGrid, Svix and Amazon: each verifies, and none does after one byte."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from channels.base import Account, EventSource, InboundRequest, Rejected, Verified
from channels.registry import sources
from orchestrator.ids import uuid7
from tests.channels.sources.signing import BY_NAME, account

pytestmark = pytest.mark.corpus

PATH = Path(__file__).parents[4] / "shared" / "corpora" / "webhooks" / "vectors.json"
Case = tuple[EventSource, Account, InboundRequest, datetime]


def vectors() -> dict[str, Any]:
    """The file."""
    if not PATH.exists():
        pytest.skip("../shared/corpora is not here")
    found: dict[str, Any] = json.loads(PATH.read_text())
    return found


def sendgrid(found: dict[str, Any]) -> Iterator[Case]:
    for one in found["sendgrid"]:
        name = "x-twilio-email-event-webhook-"
        headers = {name + "signature": one["signature"], name + "timestamp": one["timestamp"]}
        sender = account("sendgrid", public_key=one["public_key"])
        at = datetime.fromtimestamp(int(one["timestamp"]), UTC)
        yield BY_NAME["sendgrid"], sender, InboundRequest(headers, one["body"].encode()), at


def svix(found: dict[str, Any]) -> Iterator[Case]:
    for one in found["standard_webhooks_svix"]:
        sender = account("resend", {"resend_secret": one["secret"]})
        at = datetime.fromtimestamp(int(one["timestamp"]), UTC)
        for prefix in ("svix-", "webhook-"):
            headers = {prefix + name: one[name] for name in ("id", "timestamp", "signature")}
            yield BY_NAME["resend"], sender, InboundRequest(headers, one["body"].encode()), at


def amazon(found: dict[str, Any]) -> Iterator[Case]:
    for one in found["sns"]:
        sender = account("ses", topic_arns=[one["TopicArn"]])
        pem = found["sns_cert_pem"].encode()
        body = json.dumps(one, separators=(",", ":")).encode()
        asked = InboundRequest({}, body, fetched={one["SigningCertURL"]: pem})
        yield BY_NAME["ses"], sender, asked, datetime.fromisoformat(one["Timestamp"])


def slack(found: dict[str, Any]) -> Iterator[Case]:
    source = next(one for one in sources() if one.name == "slack")
    for one in found["slack"]:
        headers = {
            "x-slack-request-timestamp": one["timestamp"],
            "x-slack-signature": one["signature"],
            "content-type": "application/x-www-form-urlencoded",
        }
        secrets = {"bot_token": "xoxb-of-the-tests", "signing_secret": one["secret"]}
        sender = Account(uuid7(), "app", "T1DC2JH3J", "App", {"workspace": "T1DC2JH3J"}, secrets)
        at = datetime.fromtimestamp(int(one["timestamp"]), UTC)
        yield source, sender, InboundRequest(headers, one["body"].encode()), at


ALL = {"sendgrid": sendgrid, "svix": svix, "amazon": amazon, "slack": slack}


@pytest.fixture(params=ALL)
def cases(request: pytest.FixtureRequest) -> list[Case]:
    """The vectors of one provider as requests."""
    return list(ALL[request.param](vectors()))


def changed(text: bytes) -> Iterator[bytes]:
    """`text` with one byte changed, everywhere and in several ways, and with one less or more."""
    for at in range(len(text)):
        for bit in (0x01, 0x02, 0x80):
            yield text[:at] + bytes([text[at] ^ bit]) + text[at + 1 :]
    yield text[:-1]
    yield text + b"A"


def test_every_vector_verifies(cases: list[Case]) -> None:
    assert cases
    for source, sender, asked, at in cases:
        assert isinstance(source.verify(asked, sender, at), Verified)
        assert source.parse(asked, sender)


def test_no_vector_verifies_after_one_byte_of_the_body(cases: list[Case]) -> None:
    for source, sender, asked, at in cases:
        for body in changed(asked.body):
            verdict = source.verify(replace(asked, body=body), sender, at)
            assert isinstance(verdict, Rejected), body


def test_no_vector_verifies_after_one_byte_of_its_headers(cases: list[Case]) -> None:
    for source, sender, asked, at in cases:
        for name, value in asked.headers.items():
            if name == "content-type":
                continue
            for other in changed(value.encode()):
                headers = {**asked.headers, name: other.decode("latin-1")}
                verdict = source.verify(replace(asked, headers=headers), sender, at)
                assert isinstance(verdict, Rejected), (name, other)
            rest = {key: one for key, one in asked.headers.items() if key != name}
            assert isinstance(source.verify(replace(asked, headers=rest), sender, at), Rejected)


def test_the_time_of_a_vector_counts(cases: list[Case]) -> None:
    for source, sender, asked, at in cases:
        patience = timedelta(hours=7) if source.name == "ses" else timedelta(minutes=5)
        for away in (patience + timedelta(seconds=2), -patience - timedelta(seconds=2)):
            assert isinstance(source.verify(asked, sender, at + away), Rejected)


def test_no_secret_and_another_key_are_refused(cases: list[Case]) -> None:
    for source, sender, asked, at in cases:
        for held in ({}, dict.fromkeys(sender.secrets, ""), dict.fromkeys(sender.secrets, "x")):
            if source.secrets:
                assert isinstance(source.verify(asked, replace(sender, secrets=held), at), Rejected)
    for source, sender, asked, at in amazon(vectors()):
        assert isinstance(source.verify(replace(asked, fetched={}), sender, at), Rejected)
        for url in asked.fetched:
            other = replace(asked, fetched={url: b"-----BEGIN CERTIFICATE-----\n"})
            assert isinstance(source.verify(other, sender, at), Rejected)
    for source, _, asked, at in sendgrid(vectors()):
        assert isinstance(source.verify(asked, account("sendgrid"), at), Rejected)


def test_a_signature_has_one_spelling() -> None:
    """base64 leaves bits unused: `/Q==` and `/R==` are the same bytes, and not the same text."""
    for source, sender, asked, at in sendgrid(vectors()):
        name = "x-twilio-email-event-webhook-signature"
        raw = base64.b64decode(asked.headers[name])
        for other in (base64.b64encode(raw).decode().rstrip("="), asked.headers[name] + "\n"):
            headers = {**asked.headers, name: other}
            verdict = source.verify(replace(asked, headers=headers), sender, at)
            assert isinstance(verdict, Rejected) or other == asked.headers[name]
