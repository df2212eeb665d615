"""What `senders.settings` and its secrets hold for the gateway."""

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

SECRETS = ("api_key", "webhook_secret")


class SmsSettings(BaseModel):
    """How the gateway is reached. `timeout` is in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str
    timeout: float = Field(10, gt=0, le=60)

    @field_validator("base_url")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
            raise ValueError("a key never goes out in clear: use https")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("write an address such as https://gateway.example/v1")
        return value.rstrip("/")


def parse_settings(values: Mapping[str, Any]) -> SmsSettings:
    """The settings of a sender. Raises ValueError in words that name the field."""
    try:
        return SmsSettings.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"sms settings: {where}: {said}") from None


def check_secrets(secrets: Mapping[str, str]) -> None:
    """Raises ValueError that names the secret that is missing."""
    for name in SECRETS:
        value = secrets.get(name, "")
        if not value or not value.isascii() or not value.isprintable():
            raise ValueError(f"sms settings: the secret `{name}` is missing or cannot be sent")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
