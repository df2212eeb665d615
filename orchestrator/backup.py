"""Backups by PostgreSQL's own programs: one consistent snapshot, one file, and a note beside it.

`pg_dump` and `pg_restore` come with the embedded server's wheel, or are those of the machine. The
note (`FILE.json`) says when the snapshot was taken, at which migration, how many rows it has, and
the digest of the file; a dump that was made by other means is restored without one.
"""

import asyncio
import hashlib
import hmac
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from orchestrator.embedded import postgres_bin
from orchestrator.errors import BadInput, SetupError, Unavailable

Say = Callable[[str], None]
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of a backup. `key`: a fingerprint of the secret key, never the key."""

    taken_at: str  # ISO 8601, the database's clock
    revision: str
    counts: dict[str, int]
    sha256: str
    bytes: int
    key: str | None = None


def fingerprint(secret: str) -> str:
    """A short name of a secret key, by which another one is told from it."""
    return hmac.digest(secret.encode(), b"avtale:fingerprint", hashlib.sha256).hex()[:16]


def note_path(file: Path) -> Path:
    """Where the note of a backup is."""
    return file.with_name(file.name + ".json")


def read_note(file: Path) -> Note | None:
    """The note beside `file`; None when there is none. Raises BadInput when it cannot be read."""
    path = note_path(file)
    if not path.exists():
        return None
    try:
        note = Note(**json.loads(path.read_text()))
        datetime.fromisoformat(note.taken_at)
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from None
    return note


def digest(file: Path) -> str:
    """The SHA-256 of a file, read in pieces."""
    found = hashlib.sha256()
    with file.open("rb") as source:
        while piece := source.read(_CHUNK):
            found.update(piece)
    return found.hexdigest()


def program(name: str) -> str:
    """The path of `pg_dump` or `pg_restore`. Raises SetupError when this machine has none."""
    try:
        path = postgres_bin(name)
        if path.exists():
            return str(path)
    except (SetupError, IndexError):
        pass
    found = shutil.which(name)
    if found is None:
        raise SetupError(f"{name} is missing: install PostgreSQL's client programs.")
    return found


async def dump(url: str, file: Path, *, snapshot: str, say: Say) -> None:
    """Write what `snapshot` (of `pg_export_snapshot`) sees to `file`, whole or not at all."""
    part = file.with_name(file.name + ".part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        await _run(
            *("pg_dump", url, say, "--format=custom", "--no-owner", "--no-privileges", "--verbose"),
            *(f"--snapshot={snapshot}", f"--file={part}"),
        )
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.rename(file)
    finally:
        part.unlink(missing_ok=True)


def write_note(file: Path, note: Note) -> None:
    """Put the note beside the backup."""
    path = note_path(file)
    path.write_text(json.dumps(asdict(note), indent=2) + "\n")
    path.chmod(0o600)


async def load(url: str, file: Path, *, say: Say) -> None:
    """Restore `file` into an empty database, in one transaction: all of it or nothing."""
    await _run(
        *("pg_restore", url, say, "--no-owner", "--no-privileges", "--verbose"),
        *("--single-transaction", "--exit-on-error", str(file)),
    )


async def _run(name: str, url: str, say: Say, *arguments: str) -> None:
    target, secret = without_password(url)
    child = await asyncio.create_subprocess_exec(
        *(program(name), "--no-password", f"--dbname={target}", *arguments),
        env=dict(os.environ) | ({"PGPASSWORD": secret} if secret else {}),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    last = ""
    try:
        assert child.stderr is not None
        async for line in child.stderr:
            words = line.decode(errors="replace").strip().removeprefix(f"{name}: ")
            if "data for table" in words or "contents of table" in words:
                say(words)
            last = words or last
        if await child.wait():
            raise Unavailable(f"{name} failed: {last[:500]}")
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


def without_password(url: str) -> tuple[str, str | None]:
    """The URL for an argument list, which others on the machine can read, and its password."""
    parts = urlsplit(url.replace("+asyncpg", "", 1))
    # asyncpg's name for what libpq calls `sslmode`.
    options = [
        ("sslmode" if name == "ssl" else name, value) for name, value in parse_qsl(parts.query)
    ]
    parts = parts._replace(query=urlencode(options, safe="/"))
    if parts.password is None:
        return urlunsplit(parts), None
    user, _, host = parts.netloc.rpartition("@")
    bare = parts._replace(netloc=f"{user.partition(':')[0]}@{host}")
    return urlunsplit(bare), unquote(parts.password)
