"""One mailbox over IMAP, blocking: it lives in a thread of its own (see `imap`).

The folder is opened with EXAMINE and mail is read with BODY.PEEK[]: a person's mail is never marked
as read, by no fault of ours either, since the server refuses it.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from channels.email.imap import open_imap
from channels.email.settings import ImapSettings

LARGEST = 25 * 1024 * 1024  # bytes; of what is larger only the header is stored
_CHUNK = 50  # mails whose size is asked for at once
_SLICE = 1.0  # seconds between two looks at `halted` while idling


@dataclass(frozen=True, slots=True)
class Fetched:
    """One mail. `whole` is False when it was too large and `raw` is its header."""

    uid: int
    raw: bytes
    received_at: datetime | None
    whole: bool


class Mailbox:
    """A connection to one folder. Every method blocks; none is for two threads at once."""

    def __init__(self, settings: ImapSettings, password: str) -> None:
        self._settings = settings
        self._client = open_imap(settings)
        try:
            if settings.username:
                self._client.login(settings.username, password)
            selected = self._client.select_folder(settings.folder, readonly=True)
            self._idles = self._client.has_capability("IDLE")
        except BaseException:
            self.close()
            raise
        self.uidvalidity = int(selected[b"UIDVALIDITY"])

    def uids_after(self, uid: int) -> list[int]:
        """UIDs above `uid`, rising. (`n:*` names the last mail even when it is below n: RFC 3501,
        6.4.8, so the answer is filtered.)"""
        found = self._client.search(["UID", f"{uid + 1}:*"])
        return sorted(one for one in found if one > uid)

    def uids_since(self, day: date) -> list[int]:
        """UIDs of mails that arrived on `day` (the server's) or later, rising."""
        return sorted(self._client.search(["SINCE", day]))

    def fetch(self, uids: list[int]) -> Iterator[Fetched]:
        """These mails, one after the other, with the flags as they were."""
        for start in range(0, len(uids), _CHUNK):
            some = uids[start : start + _CHUNK]
            facts = self._client.fetch(some, ["RFC822.SIZE", "INTERNALDATE"])
            for uid in some:
                if uid in facts:  # else it was deleted meanwhile
                    yield from self._fetch_one(uid, facts[uid])

    def _fetch_one(self, uid: int, facts: dict[bytes, object]) -> Iterator[Fetched]:
        size, at = facts.get(b"RFC822.SIZE"), facts.get(b"INTERNALDATE")
        whole = not isinstance(size, int) or size <= LARGEST
        part = "BODY.PEEK[]" if whole else "BODY.PEEK[HEADER]"
        found = self._client.fetch([uid], [part]).get(uid, {})
        raw = found.get(b"BODY[]" if whole else b"BODY[HEADER]")
        if isinstance(raw, bytes):
            # IMAPClient gives local time without a zone.
            received = at.astimezone(UTC) if isinstance(at, datetime) else None
            yield Fetched(uid, raw, received, whole)

    def wait(self, seconds: float, halted: threading.Event) -> bool:
        """Wait for news by IDLE (RFC 2177), at most `seconds`; whether there were any. Without
        IDLE, or when news get lost, the caller's next look is the safety net."""
        if not self._idles:
            halted.wait(seconds)
            self._client.noop()
            return False
        until = time.monotonic() + seconds
        self._client.idle()
        news = False
        while not news and not halted.is_set() and time.monotonic() < until:
            began = time.monotonic()
            said = self._client.idle_check(timeout=_SLICE)
            # IMAPClient says nothing, at once and for ever, when the connection has ended.
            early = not said and time.monotonic() - began < _SLICE / 2
            if early or any(one[0] == b"BYE" for one in said):
                raise ConnectionResetError("the mail server closed the connection")
            news = any(len(one) > 1 and one[1] in (b"EXISTS", b"RECENT") for one in said)
        _, late = self._client.idle_done()
        return news or bool(late)

    def close(self) -> None:
        """Leave, without caring whether the server still listens."""
        try:
            self._client.logout()
        except Exception:  # noqa: BLE001 - the connection may be gone, and is dropped either way
            self._client.shutdown()
