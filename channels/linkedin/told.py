"""One event of the provider, before it is known what it is about. Nothing here raises."""

from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from channels.base import ChannelEvent
from channels.linkedin.evidence import address_of, chat_of, is_ours
from channels.linkedin.settings import LinkedinSettings
from channels.linkedin.shapes import Json, instant, part, word

USER_IDS = ("attendee_provider_id", "provider_id", "user_id", "id")


@dataclass(frozen=True, slots=True)
class Own:
    """Who the seat is: what its settings say, and its address on the network."""

    settings: LinkedinSettings
    address: str | None = None


def unread(body: bytes, why: str, kind: str = "") -> ChannelEvent:
    """Kept, and acting on nothing."""
    detail = {"why": why, **({"type": kind[:100]} if kind else {})}
    return ChannelEvent("unknown", f"raw:{sha256(body).hexdigest()}", detail=detail)


class Told:
    """One event of either version: the part that tells, who the seat is, and when."""

    def __init__(self, own: Json, seat: Own, whole: Json, body: bytes) -> None:
        self.own = own
        self.seat = seat
        self.me = seat.settings.user_id or word(part(whole, "account_info"), "user_id")
        self.at: datetime | None = instant(own, "timestamp", "created_at", "date") or instant(
            whole, "timestamp", "created_at", "date"
        )
        self.id = word(whole, "id", "event_id")
        self.body = body
        self.message = word(own, "message_id", "id")
        self.chat = chat_of(own)

    def unknown(self, why: str, kind: str) -> ChannelEvent:
        """Kept under its own id, where it has one."""
        made = unread(self.body, why, kind)
        return replace(made, external_id=self.id, occurred_at=self.at) if self.id else made

    def other(self) -> tuple[str | None, str | None]:
        """Who did it, as the event names them: (user_ref, address)."""
        who = part(self.own, "sender", "from", "user", "attendee")
        ref = word(self.own, "sender_id", "user_id") or word(who, *USER_IDS)
        return ref, address_of(who) or address_of(self.own)

    def ours(self) -> bool | None:
        """Whether the seat's own user did it. None: it does not say."""
        told = is_ours(self.own, self.me)
        if told is None and self.seat.address is not None:
            _, address = self.other()
            return None if address is None else address == self.seat.address
        return told

    def is_anothers(self, whole: Json) -> bool:
        """One hook may serve several accounts: what is told of another one acts on nothing here."""
        account_id = self.seat.settings.account_id
        return (
            account_id is not None
            and (word(whole, "account_id") or word(self.own, "account_id")) != account_id
        )
