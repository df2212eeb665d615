"""What `senders.settings` holds for a seat on a network of the LinkedIn kind."""

import ipaddress
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from channels.base import Account

Mode = Literal["manual", "automatic"]
Tier = Literal["free", "premium"]
Scheme = Literal["t_v0", "static_header"]

TERMS = (
    "the User Agreement of LinkedIn, like those of most such networks, forbids software that "
    "sends invitations or messages in a member's name, and such an account may be restricted or "
    "closed. Work this sender by hand (mode `manual`), or set `terms_accepted` to true if whoever "
    "owns the account knows that and takes it on"
)
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110 5.6.2: a header's name
_NOTE = {"free": 200, "premium": 300}  # characters
_NOTES_MONTHLY = {"free": 5, "premium": None}
_DAILY = {"free": 20, "premium": 30}
_WEEKLY = {"free": 100, "premium": 150}


class LinkedinSettings(BaseModel):
    """How a seat is worked. Times are seconds unless they say otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Mode = "manual"
    terms_accepted: bool = False
    tier: Tier = "free"
    base_url: str = "https://api.unipile.com/v2"
    account_id: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    user_id: str | None = None  # who the seat is on the network, to know its own messages by
    api_header: str = "X-API-KEY"
    # The provider's paths below a chat: with the account in front of them, or without.
    account_in_chat_paths: bool = False
    signature_header: str = "unipile-signature"
    signature_scheme: Scheme = "t_v0"
    profile_base: str = "https://www.linkedin.com/in/"
    requests_daily: int | None = Field(None, ge=0, le=200)
    requests_weekly: int | None = Field(None, ge=0, le=500)
    withdraw_after_days: int = Field(21, ge=1, le=180)
    ban_days: int = Field(21, ge=21, le=365)  # the network's own ban is three weeks
    connect_timeout: float = Field(10, gt=0, le=60)
    read_timeout: float = Field(45, gt=0, le=300)

    @field_validator("base_url", "profile_base")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ValueError("give an address such as https://api.unipile.com/v2")
        if parts.query or parts.fragment or not value.isascii() or not value.isprintable():
            raise ValueError("give the address without anything after its path")
        if parts.scheme == "http" and not _is_loopback(parts.hostname):
            raise ValueError("a key never goes out in clear: use https")
        return value.rstrip("/")

    @field_validator("api_header", "signature_header")
    @classmethod
    def _is_header(cls, value: str) -> str:
        if not _TOKEN.fullmatch(value):
            raise ValueError("this is no name of a header")
        return value

    @model_validator(mode="after")
    def _knows_the_terms(self) -> Self:
        if self.mode == "automatic":
            if not self.terms_accepted:
                raise ValueError(f"mode `automatic` is off until you turn it on: {TERMS}")
            if self.account_id is None:
                raise ValueError("mode `automatic` needs `account_id`, as the provider names it")
        return self

    @property
    def note_limit(self) -> int:
        """Characters that the note of an invitation may have."""
        return _NOTE[self.tier]

    @property
    def notes_monthly(self) -> int | None:
        """Invitations with a note in a month. None: as many as there are invitations."""
        return _NOTES_MONTHLY[self.tier]

    @property
    def daily(self) -> int:
        """Invitations a day."""
        return _DAILY[self.tier] if self.requests_daily is None else self.requests_daily

    @property
    def weekly(self) -> int:
        """Invitations a week."""
        return _WEEKLY[self.tier] if self.requests_weekly is None else self.requests_weekly


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_settings(values: object) -> LinkedinSettings:
    """The settings of a sender. Raises ValueError in words that name the field."""
    try:
        return LinkedinSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"linkedin settings: {where}{': ' if where else ''}{said}") from None


def check_secrets(settings: LinkedinSettings, secrets: Mapping[str, str]) -> None:
    """Raises ValueError when a secret that `settings` need is missing or cannot be sent."""
    if settings.mode != "automatic":
        return
    for name in ("api_key", "webhook_secret"):
        value = secrets.get(name, "")
        if not value:
            raise ValueError(f"linkedin settings: mode `automatic` needs the secret `{name}`")
        if not value.isascii() or not value.isprintable() or value != value.strip():
            raise ValueError(f"linkedin settings: the secret `{name}` cannot be sent as it is")


@lru_cache(maxsize=1024)
def _cached(items: str) -> LinkedinSettings:
    return parse_settings(json.loads(items))


def read_settings(account: Account) -> LinkedinSettings:
    """The settings of `account`. Raises ValueError."""
    values: dict[str, Any] = dict(account.settings)
    return _cached(json.dumps(values, sort_keys=True))
