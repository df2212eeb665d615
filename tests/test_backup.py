"""Small things about backups that must not go wrong: passwords, keys, a program that is missing."""

from pathlib import Path

import pytest

from orchestrator import backup
from orchestrator.errors import BadInput, SetupError


@pytest.mark.parametrize(
    ("url", "bare", "password"),
    [
        ("postgresql://avtale@/avtale?host=/run", "postgresql://avtale@/avtale?host=/run", None),
        ("postgresql://a:p%40ss@db:5432/x", "postgresql://a@db:5432/x", "p@ss"),
        ("postgresql+asyncpg://a:s@db/x?ssl=require", "postgresql://a@db/x?sslmode=require", "s"),
    ],
)
def test_no_password_is_on_a_command_line(url: str, bare: str, password: str | None) -> None:
    """Everybody on the machine can read argument lists."""
    assert backup.without_password(url) == (bare, password)


def test_a_fingerprint_tells_keys_apart_and_nothing_else() -> None:
    one, other = backup.fingerprint("k" * 32), backup.fingerprint("K" * 32)
    assert one != other
    assert len(one) == 16


def test_a_note_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    file = tmp_path / "avtale.dump"
    assert backup.read_note(file) is None
    backup.note_path(file).write_text('{"taken_at": "yesterday"}')
    with pytest.raises(BadInput, match="cannot be read"):
        backup.read_note(file)


def test_without_postgresqls_programs_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backup, "postgres_bin", lambda name: Path("/nowhere") / name)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SetupError, match="client programs"):
        backup.program("pg_dump")
