"""The channel of networks of the LinkedIn kind: by the provider's HTTP, or by a person's hand."""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from channels.base import (
    Account,
    Capabilities,
    ChannelEvent,
    Draft,
    NotSent,
    OutboundMessage,
    PassPoint,
    Refused,
    RequestPace,
    SendResult,
    Sent,
    Stopped,
    Unknown,
)
from channels.crash_points import point
from channels.linkedin import asking
from channels.linkedin.address import canonical_address, profile_page
from channels.linkedin.api import Client, Request
from channels.linkedin.classify import Doing, classify
from channels.linkedin.evidence import Person, person
from channels.linkedin.seat import Seat, open_seat
from channels.linkedin.settings import check_secrets, parse_settings, read_settings
from channels.linkedin.shapes import Json

_LONGEST = 8000  # characters of a message


class LinkedinChannel:
    """Invitations with a note, and messages after they were accepted."""

    name = "linkedin"
    capabilities = Capabilities(
        threads=True,
        invitation=True,
        read_receipts=True,
        max_length=_LONGEST,
        queryable=True,  # a send has no idempotency key: what is in doubt is looked up in the chat
        rate_scope="account",
    )

    def __init__(self) -> None:
        self._client = Client()

    def canonical(self, address: str) -> str:
        """The public identifier, lower case. Raises ValueError."""
        return canonical_address(address)

    def freeze(self, account: Account, draft: Draft) -> bytes:
        """`{"text": ...}`, never cut. Pure. Raises ValueError for what is too long or not text."""
        if draft.recipient != canonical_address(draft.recipient):
            raise ValueError("the recipient is not in its canonical form")
        said = unicodedata.normalize("NFC", draft.text.replace("\r\n", "\n")).strip()
        if any(_is_control(character) for character in draft.subject):
            raise ValueError("a subject is one line of text")
        if any(_is_control(character) and character not in "\n\t" for character in said):
            raise ValueError("the text holds characters that are no text")
        if draft.attachments:
            raise ValueError("this channel carries text only: an attachment goes by email")
        if draft.request:
            limit = read_settings(account).note_limit
            if len(said) > limit:
                raise ValueError(
                    f"the note of an invitation has {len(said)} characters; the network takes "
                    f"{limit} from this account"
                )
        elif not said:
            raise ValueError("a message needs a text")
        elif len(said) > _LONGEST:
            raise ValueError(f"the text has {len(said)} characters; the network takes {_LONGEST}")
        return _encode({"text": said})

    async def send(
        self, account: Account, message: OutboundMessage, pass_point: PassPoint
    ) -> SendResult:
        """One invitation or message. Raises what `pass_point` raises and CancelledError."""
        try:
            seat = open_seat(self._client, account)
        except ValueError as error:
            return NotSent("settings", str(error)[:500], lane="pause")
        try:
            if canonical_address(message.recipient) != message.recipient:
                return Refused("address_mismatch", "the recipient is not in its canonical form")
            said = asking.read_payload(message.payload)
        except ValueError:
            return Refused("payload", "the frozen message cannot be read")
        whom = await self._find_out(seat, message)
        if not isinstance(whom, Person):
            return whom
        if not await pass_point():
            return Stopped()
        if message.request and whom.connected:
            return Sent(detail="no invitation needed", user_ref=whom.user_ref, connected=True)
        doing, request = _request(seat, message, whom, said)
        point("http.before_post")
        answer = await seat.call(request)
        point("http.after_answer")
        result = classify(doing, answer)
        assert result is not None
        return await _completed(seat, message, whom, result)

    async def _find_out(self, seat: Seat, message: OutboundMessage) -> Person | SendResult:
        """Who the address is at the provider: nothing of it reaches the person."""
        if message.user_ref or (message.thread_ref and not message.request):
            return Person(message.user_ref, None, None)
        found = await seat.call(Request("GET", seat.users(message.recipient)))
        failure = classify(Doing.LOOKUP, found)
        if failure is not None:
            return failure
        body: Json = getattr(found, "body", None) or {}
        made = person(body)
        if made.user_ref is None:
            return NotSent("lookup", "lookup: the answer names no user", lane="park")
        return made

    async def find(self, account: Account, message: OutboundMessage) -> Sent | Unknown | None:
        """Whether the chat holds our message, or the network our invitation."""
        try:
            seat = open_seat(self._client, account)
            said = asking.read_payload(message.payload)
        except ValueError as error:
            return Unknown(str(error)[:200])
        try:
            if message.request:
                return await asking.find_request(seat, message)
            return await asking.find_message(seat, message, said)
        except OSError as error:
            return Unknown(f"asking: {error}"[:200])

    def needs_request(self, account: Account) -> bool:
        """Automatic senders reach strangers by invitation only; a person sees that for themself."""
        return not self.by_hand(account)

    def request_limit(self, account: Account) -> int | None:
        """Characters of a note, by the tier of the account."""
        return read_settings(account).note_limit

    def request_pace(self, account: Account) -> RequestPace:
        """The account's own caps, or those of its tier."""
        found = read_settings(account)
        return RequestPace(
            found.daily,
            found.weekly,
            found.withdraw_after_days,
            found.ban_days,
            found.notes_monthly,
        )

    async def withdraw(self, account: Account, request_ref: str) -> bool:
        """Cancel an invitation. True as well when it is not there any more."""
        try:
            return await asking.withdraw(open_seat(self._client, account), request_ref)
        except ValueError:
            return False

    async def poll(self, account: Account, since: datetime) -> list[ChannelEvent]:
        """Who let us in since `since`. Raises OSError. Nothing for a sender worked by hand."""
        if self.by_hand(account):
            return []
        try:
            seat = open_seat(self._client, account)
        except ValueError as error:
            raise OSError(str(error)) from None
        return await asking.accepted_since(seat, since)

    def by_hand(self, account: Account) -> bool:
        """Mode `manual`, the default."""
        return read_settings(account).mode == "manual"

    def profile_url(self, account: Account, address: str) -> str | None:
        """The person's page on the network."""
        return profile_page(read_settings(account).profile_base, address)

    def check_settings(self, settings: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        """Raises ValueError for settings that cannot work, naming the field."""
        check_secrets(parse_settings(dict(settings)), secrets)

    async def check(self, account: Account) -> NotSent | None:
        """Ask the provider who the seat is. None: it answered, or there is nothing to ask since
        the sender is worked by hand. Raises ValueError."""
        if self.by_hand(account):
            return None
        seat = open_seat(self._client, account)
        match classify(Doing.LOOKUP, await seat.call(Request("GET", seat.users("me")))):
            case None:
                return None
            case NotSent() as failure:
                return failure
            case other:
                return NotSent("no_such_account", getattr(other, "detail", ""), lane="pause")

    async def close(self) -> None:
        """Drop every connection."""
        await self._client.close()


def _request(
    seat: Seat, message: OutboundMessage, whom: Person, said: str
) -> tuple[Doing, Request]:
    if message.request:
        note = {"message": said} if said else {}
        body = _encode({"user_id": whom.user_ref, **note})
        return Doing.REQUEST, Request("POST", seat.requests(), body)
    if message.thread_ref:
        path = seat.chat(message.thread_ref, "messages", "send")
        return Doing.CHAT, Request("POST", path, _encode({"text": said}))
    body = _encode({"text": said, "users_ids": [whom.user_ref]})
    return Doing.MESSAGE, Request("POST", (seat.account_id, "chats", "send"), body)


async def _completed(
    seat: Seat, message: OutboundMessage, whom: Person, result: SendResult
) -> SendResult:
    """`result` with the references that later steps need."""
    if not isinstance(result, Sent):
        return result
    made = replace(
        result,
        user_ref=whom.user_ref,
        thread_ref=result.thread_ref or (None if message.request else message.thread_ref),
    )
    if message.request and not made.connected and made.request_ref is None:
        # Without it the invitation could not be withdrawn. That it is out is known either way.
        return replace(made, request_ref=await asking.request_ref(seat, whom.user_ref))
    return made


def _encode(body: Mapping[str, object]) -> bytes:
    return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
