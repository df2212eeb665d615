"""What `senders.settings` holds for Slack."""

import ipaddress
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from channels.base import Account

SLACK_API = "https://slack.com/api/"
_TOKEN = re.compile(r"[\x21-\x7e]+")


class SlackSettings(BaseModel):
    """One installation of the app. Times are seconds unless the name says otherwise.

    Slack withdraws an unanswered invitation itself after 14 days, and has no ban of its own:
    `ban_days` is our own good manners.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    workspace: str = Field(pattern=r"^[TE][A-Z0-9]{2,30}$")
    reach: Literal["workspace", "connect"] = "workspace"
    # Users of ours who are in shared channels: what they do is no answer, and Slack does not always
    # say whose workspace somebody is of.
    colleagues: tuple[str, ...] = ()
    base_url: str = SLACK_API
    timeout: float = Field(30, gt=0, le=120)  # of one call
    daily_requests: int = Field(20, ge=0, le=1000)
    weekly_requests: int = Field(80, ge=0, le=5000)
    withdraw_after_days: int = Field(14, ge=1, le=365)
    ban_days: int = Field(30, ge=0, le=3650)

    @model_validator(mode="after")
    def _no_token_in_clear(self) -> Self:
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment:
            raise ValueError("base_url is no http or https address")
        if url.scheme == "http" and not is_loopback(url.hostname):
            raise ValueError("base_url: a token never goes out in clear: use https")
        return self

    @property
    def is_local(self) -> bool:
        """Whether the provider is on this machine: the sandbox's, or a test's."""
        return is_loopback(urlsplit(self.base_url).hostname or "")


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine, by name or by number."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_settings(values: object) -> SlackSettings:
    """The settings of a sender. Raises ValueError in words that name the field."""
    try:
        return SlackSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        words = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"slack settings: {where}: {words}".replace(": :", ":")) from None


def check_secrets(secrets: Mapping[str, str]) -> None:
    """Raises ValueError that names the secret that is missing, and never shows one."""
    for name, about in (
        ("bot_token", "the app's Bot User OAuth Token (xoxb-…)"),
        ("signing_secret", "from the app's Basic Information; without it anybody could answer"),
    ):
        if not _TOKEN.fullmatch(secrets.get(name) or ""):
            raise ValueError(f"slack settings: the secret `{name}` is missing: {about}")


@lru_cache(maxsize=1024)
def _cached(items: str) -> SlackSettings:
    return parse_settings(json.loads(items))


def read_settings(account: Account) -> SlackSettings:
    """The settings of `account`. Raises ValueError."""
    return _cached(json.dumps(dict[str, Any](account.settings), sort_keys=True))
