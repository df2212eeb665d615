"""One account at the provider, and what can be read of it."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from channels.base import Account
from channels.linkedin.api import Answer, Client, Request, Silence
from channels.linkedin.classify import problem
from channels.linkedin.settings import LinkedinSettings, check_secrets, read_settings
from channels.linkedin.shapes import Json, instant, items, truth, word

_PAGE = 100
_PAGES = 10


class Deaf(OSError):
    """The provider did not tell. `gone`: it said that there is no such thing. `long`: it told, but
    there was more."""

    def __init__(self, detail: str, *, gone: bool = False, long: bool = False) -> None:
        super().__init__(detail)
        self.gone = gone
        self.long = long


@dataclass(frozen=True, slots=True)
class Seat:
    """A sender account with its key. Reading only; `send` is the adapter's."""

    client: Client
    settings: LinkedinSettings
    account_id: str
    api_key: str

    async def call(self, request: Request) -> Answer | Silence:
        """One request, once."""
        return await self.client.call(self.settings, self.api_key, request)

    def users(self, *segments: str) -> tuple[str, ...]:
        """The path of something below the account's view of users."""
        return (self.account_id, "users", *segments)

    def requests(self, *segments: str) -> tuple[str, ...]:
        """The path of the account's own invitations."""
        return self.users("me", "relation-requests", *segments)

    def chat(self, chat: str, *segments: str) -> tuple[str, ...]:
        """The path of something below a conversation."""
        front = (self.account_id,) if self.settings.account_in_chat_paths else ()
        return (*front, "chats", chat, *segments)

    async def read(self, segments: tuple[str, ...], query: Mapping[str, str] | None = None) -> Json:
        """The JSON behind a path. Raises Deaf."""
        found = await self.call(Request("GET", segments, query=query or {}))
        if isinstance(found, Silence):
            raise Deaf(found.detail)
        if found.body is None or not 200 <= found.status < 300:
            # Only an error in the provider's own words means that the thing is not there; a
            # proxy's page or a wrong account does not.
            own = found.body is not None and "account" not in str(dict(found.body)).lower()
            raise Deaf(
                f"{found.status} {problem(found)}".rstrip(), gone=found.status == 404 and own
            )
        return found.body

    async def listed(
        self, segments: tuple[str, ...], since: datetime, query: Mapping[str, str] | None = None
    ) -> AsyncIterator[Json]:
        """Every item behind a path, page by page, back to `since` where they come newest first.

        Raises Deaf when the end was not reached: what was yielded until then is not all.
        """
        asked = {"limit": str(_PAGE), **(query or {})}
        seen, first = 0, None
        for _ in range(_PAGES):
            body = await self.read(segments, asked)
            page = list(items(body))
            for one in page:
                yield one
            seen += len(page)
            following = _following(body, page, seen)
            if following is None or _all_before(page, since):
                return
            if first is not None and page[:1] == first:
                raise Deaf("the provider gives the same page again", long=True)
            first = page[:1]
            asked |= following
        raise Deaf(f"more than {_PAGES} pages", long=True)


def _following(body: Json, page: list[Json], seen: int) -> dict[str, str] | None:
    """What asks for the next page; None after the last."""
    cursor = word(body, "next_cursor", "cursor")
    if cursor is not None:
        return {"cursor": cursor}
    more = truth(body, "has_more")
    total = word(body, "total_items", "total_count", "total")
    if more is None:
        more = seen < int(total) if total is not None and total.isdigit() else len(page) >= _PAGE
    return {"offset": str(seen)} if page and more else None


def _all_before(page: list[Json], since: datetime) -> bool:
    """Whether a page that comes newest first is past `since`."""
    times = [instant(one, "timestamp", "created_at", "date", "parsed_datetime") for one in page]
    known = [one for one in times if one is not None]
    if len(known) < max(2, len(page)) or known != sorted(known, reverse=True):
        return False
    return known[0] > known[-1] and known[-1] < since


def open_seat(client: Client, account: Account) -> Seat:
    """The seat of `account`. Raises ValueError for settings that nothing can be sent by."""
    settings = read_settings(account)
    if settings.mode != "automatic" or settings.account_id is None:
        raise ValueError("this sender is worked by hand (mode `manual`): its messages are tasks")
    check_secrets(settings, account.secrets)
    return Seat(client, settings, settings.account_id, account.secrets["api_key"])
