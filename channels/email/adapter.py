"""The email channel: freezing by `mime`, connections by `pool`, the conversation by `smtp`."""

import asyncio
from collections.abc import Mapping
from typing import Any

from channels.base import (
    Account,
    Capabilities,
    Draft,
    Feed,
    NotSent,
    OutboundMessage,
    PassPoint,
    SendResult,
    Sent,
    Unknown,
)
from channels.email import mime
from channels.email.address import canonical_address, is_canonical
from channels.email.feeds import Alone, Checked
from channels.email.imap import find_sent, message_id_of
from channels.email.pool import Pool
from channels.email.settings import EVENT_SECRETS, parse_settings, read_settings


class EmailChannel:
    """SMTP submission: one recipient per transaction, at most one hand-over per `send`."""

    name = "email"
    # Some accounts can be asked (a folder of sent mail), and some honour a key: each declares it.
    # For the others, evidence or a person settles what is in doubt.
    capabilities = Capabilities(threads=True, html=True, subject=True, queryable=True)

    def __init__(self) -> None:
        self._pool = Pool()

    def canonical(self, address: str) -> str:
        """Lower case, the domain in its ASCII form (RFC 5890). Raises ValueError."""
        return canonical_address(address)

    def freeze(self, account: Account, draft: Draft) -> bytes:
        """The message before dot-stuffing (RFC 5322). Pure. Raises ValueError."""
        if not is_canonical(draft.recipient):
            raise ValueError("the recipient is not in its canonical form")
        return mime.build(account, read_settings(account), draft)

    async def send(
        self, account: Account, message: OutboundMessage, pass_point: PassPoint
    ) -> SendResult:
        """One SMTP transaction; `classify` says what each outcome means.

        Raises what `pass_point` raises and CancelledError, with the connection closed.
        """
        alone = Alone(message, pass_point)
        await self.stream(account, alone)
        assert alone.result is not None
        return alone.result

    def connections(self, account: Account) -> int:
        """As many as its settings say; one where they cannot be read."""
        try:
            return read_settings(account).connections
        except ValueError:
            return 1

    async def stream(self, account: Account, feed: Feed) -> None:
        """Hand over what `feed` gives on one connection at a time."""
        try:
            settings = read_settings(account)
        except ValueError as error:
            while (one := feed.next()) is not None:
                feed.done(one, NotSent("settings", str(error)[:500], lane="pause"))
            return
        mails, fresh = Checked(account, settings, feed), False
        while (mail := mails.next()) is not None:
            async with self._pool.lane(account, settings).connection(fresh=fresh) as connection:
                failure = None if connection.reusable else await connection.open()
                if failure is not None:
                    mails.done(mail, failure)
                    continue
                await connection.stream(mail, mails)
                fresh = not connection.reusable  # one that died while idle may not be the only one

    def can_ask(self, account: Account) -> bool:
        """Whether this sender declares a folder of sent mail."""
        imap = read_settings(account).imap
        return imap is not None and imap.sent_folder is not None

    async def find(self, account: Account, message: OutboundMessage) -> Sent | Unknown | None:
        """Look for the Message-ID in the folder of sent mail."""
        try:
            settings = read_settings(account).imap
        except ValueError as error:
            return Unknown(str(error)[:200])
        if settings is None:
            return Unknown("this sender has no mailbox")
        password = account.secrets.get("imap_password", "")
        named = message_id_of(message.payload)
        return await asyncio.to_thread(find_sent, settings, password, named)

    def key_seconds(self, account: Account, message: OutboundMessage) -> int | None:
        """How long the provider honours the key that this mail carries, if it carries one."""
        keyed = read_settings(account).idempotency
        if keyed is None or not mime.carries(
            message.payload, keyed.header, message.idempotency_key
        ):
            return None
        return keyed.seconds

    def check_settings(self, settings: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        """Raises ValueError for settings that cannot work, naming the field."""
        found = parse_settings(dict(settings))
        if found.username and not secrets.get("password"):
            raise ValueError("email settings: a username needs the secret `password`")
        if found.imap and found.imap.username and not secrets.get("imap_password"):
            raise ValueError("email settings: imap.username needs the secret `imap_password`")
        needed = EVENT_SECRETS.get(found.events.source) if found.events else None
        if needed and not secrets.get(needed):
            raise ValueError(f"email settings: these events need the secret `{needed}`")

    async def check(self, account: Account) -> NotSent | None:
        """Connect, secure, log in and hang up: None when all of it works. Raises ValueError."""
        settings = read_settings(account)
        async with self._pool.lane(account, settings).connection(fresh=True) as connection:
            return await connection.open()

    async def close(self) -> None:
        """Drop every connection."""
        self._pool.close()
        await asyncio.sleep(0)  # lets the transports close
