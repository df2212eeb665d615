"""Settings: the only reader of the environment and of `.env`. Every name is AVTALE_<FIELD>."""

import os
from functools import lru_cache
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What an operator sets. Without the two URLs, `avtale up` embeds PostgreSQL and Redis."""

    model_config = SettingsConfigDict(env_prefix="AVTALE_", extra="ignore")

    database_url: str | None = Field(None, description="postgresql://user:pw@host/db")
    redis_url: str | None = Field(None, description="redis://host:6379/0 or unix:///path")
    data_dir: Path = Field(Path("var/avtale"), description="where `avtale up` keeps its data")
    host: str = "127.0.0.1"
    port: int = 8400
    base_url: str = Field("http://127.0.0.1:8400", description="how prospects reach this service")
    secret_key: SecretStr | None = Field(
        None,
        description="32 random bytes or more; tokens, hashes and sealed secrets derive from it",
    )
    mail_secret: SecretStr | None = Field(
        None, description="Standard Webhooks secret (whsec_...) of the raw mail endpoint"
    )
    sender_password: SecretStr | None = Field(
        None, description="for `avtale senders add` and `set` where nobody can be asked"
    )
    sender_imap_password: SecretStr | None = Field(None, description="the same, for IMAP")
    templates_dir: Path | None = Field(
        None, description="own message templates, LANGUAGE/NAME.md, beside the shipped ones"
    )
    meaning_file: Path | None = Field(
        None, description="own words for reading answers, beside the shipped ones; `avtale meaning`"
    )
    organisation: str = Field("", description="who writes, for the footer of each message")
    postal_address: str = Field("", description="their postal address, for the footer")
    api_workers: int = 1
    trusted_proxies: str = Field(
        "", description="addresses or networks whose X-Forwarded-For is believed, comma-separated"
    )
    egress_allow: str = Field(
        "",
        description="private addresses or networks that webhooks may reach all the same, "
        "comma-separated: 10.2.0.0/16, 127.0.0.1:9000",
    )
    send_connections: int = Field(10, ge=1, le=200, description="open connections per worker")
    lease_seconds: int = Field(60, ge=5)
    doubt_after_seconds: int = Field(
        780,
        ge=5,
        description="a `sending` older than this is in doubt; the slowest hand-over by email takes "
        "720: 120 for the 354 and 600 for the answer to the body",
    )
    poll_seconds: float = Field(600.0, gt=0, description="between looks at what webhooks left out")
    sweep_seconds: float = Field(1.0, gt=0)
    late_after_hours: float = Field(
        24,
        gt=0,
        description="what could have left longer ago than this waits for a person (`avtale late`)",
    )
    start_lock: Path | None = Field(
        None, description="set by `avtale up` for its children: wait while it prepares the database"
    )
    sandbox: bool = False
    faults: bool = Field(False, description="this is a test of faults: crash points may be armed")
    crash_at: str = Field("", description="NAME:N[:kill|:stop] of channels/crash_points.py")
    log_level: str = "INFO"
    log_json: bool = True

    @field_validator("base_url")
    @classmethod
    def _no_trailing_slash(cls, value: str) -> str:
        return value.rstrip("/")


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once: the environment, then `.env` in the working
    directory (another file: AVTALE_ENV_FILE; empty: none). What is set to nothing is not set."""
    file = os.environ.get("AVTALE_ENV_FILE", ".env")
    return Settings(_env_file=file or None, _env_file_encoding="utf-8", _env_ignore_empty=True)
