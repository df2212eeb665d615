"""The note that a running `avtale up` leaves, so that other commands find its servers.

`<data_dir>/endpoints.json` holds the two URLs, the path of the secret key's file and what else of
the settings was decided at start (`base_url`, `sandbox` ...). The environment always wins over it.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from orchestrator.config import Settings
from orchestrator.errors import SetupError

FILE = "endpoints.json"


def path(settings: Settings) -> Path:
    """Where the note of this data directory is."""
    return settings.data_dir / FILE


def find_servers(settings: Settings) -> Settings:
    """`settings`, completed by the note of a running `avtale up` when no database URL is set.

    Raises SetupError when the note exists and cannot be read.
    """
    note = path(settings)
    if settings.database_url is not None or not note.exists():
        return settings
    try:
        found = json.loads(note.read_text())
        values = {**settings.model_dump(exclude_unset=True), **_unset(settings, found)}
        return Settings.model_validate(values)
    except (OSError, ValueError, AttributeError, ValidationError) as error:
        raise SetupError(
            f"{note} cannot be read ({type(error).__name__}): start `avtale up` again, "
            "or set AVTALE_DATABASE_URL and AVTALE_REDIS_URL."
        ) from None


def _unset(settings: Settings, found: dict[str, Any]) -> dict[str, Any]:
    """What the note says about settings that the environment leaves open."""
    values = {
        name: value
        for name, value in found.items()
        if name in Settings.model_fields and name not in settings.model_fields_set
    }
    if settings.secret_key is None and "secret_key" not in values and "secret_key_file" in found:
        values["secret_key"] = SecretStr(Path(found["secret_key_file"]).read_text().strip())
    return values
