"""Where the links that are good once lead to: pages of the console."""

from typing import Literal

from orchestrator.config import Settings


def address_of(settings: Settings, kind: Literal["claim", "password"], token: str) -> str:
    """The address that is printed or mailed."""
    return f"{settings.base_url}/console/{kind}/{token}"
