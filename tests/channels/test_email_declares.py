"""What an email sender declares about messages in doubt, and how far that is believed."""

from dataclasses import replace
from typing import Any

import pytest

from channels.base import Unknown, askable, key_seconds
from channels.email.adapter import EmailChannel
from channels.email.imap import message_id_of
from tests.channels.make import account, message

KEY: dict[str, Any] = {"header": "Resend-Idempotency-Key", "seconds": 86_400}
IMAP = {"host": "127.0.0.1", "security": "plain_without_encryption"}


async def test_a_mail_carries_the_key_and_only_such_a_mail_is_sent_with_it_again() -> None:
    channel = EmailChannel()
    keyed, plain = account(25, idempotency=KEY), account(25)
    sent = message(channel, keyed)
    head = sent.payload.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert b"Resend-Idempotency-Key: " + sent.idempotency_key.encode() in head
    assert key_seconds(channel, keyed, sent) == 86_400
    # Written before the sender declared it: its provider never saw a key.
    assert key_seconds(channel, keyed, message(channel, plain)) is None
    assert key_seconds(channel, keyed, replace(sent, idempotency_key="another")) is None
    assert key_seconds(channel, plain, sent) is None
    told = replace(sent, payload=b"Subject: x\r\n\r\nResend-Idempotency-Key: 1\r\n")
    assert key_seconds(channel, keyed, told) is None


@pytest.mark.parametrize("header", ["Message-ID", "subject", "x\r\nBcc", "", "list-unsubscribe"])
def test_a_key_needs_a_header_of_its_own(header: str) -> None:
    settings = dict(account(25, idempotency=KEY | {"header": header}).settings)
    with pytest.raises(ValueError, match="idempotency"):
        EmailChannel().check_settings(settings, {})


async def test_only_a_sender_with_a_folder_of_sent_mail_is_asked() -> None:
    channel = EmailChannel()
    with_folder = account(25, imap=IMAP | {"sent_folder": "Sent", "port": 1})
    assert askable(channel, with_folder)
    assert not askable(channel, account(25, imap=IMAP))
    assert not askable(channel, account(25))
    found = await channel.find(with_folder, message(channel, with_folder))
    assert isinstance(found, Unknown)  # nobody listens there: that proves nothing


def test_the_message_id_is_read_as_it_was_frozen() -> None:
    made = message(EmailChannel(), account(25), rfc_message_id=f"<{'x' * 60}@sender.example>")
    assert message_id_of(made.payload) == f"<{'x' * 60}@sender.example>"
