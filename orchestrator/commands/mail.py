"""`avtale mail`: read a mail as the service does, and see what matched nobody."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text
from sqlalchemy import RowMapping

from orchestrator.clock import utc_now
from orchestrator.commands.common import emit, err, fail, out, run
from orchestrator.db import transaction
from orchestrator.errors import BadInput
from orchestrator.rules import mail_reading, meaning
from orchestrator.store import inbox

if TYPE_CHECKING:
    from orchestrator.wiring import App

app = typer.Typer(help="Mail that came back.", no_args_is_help=True)


@app.command()
def read(
    files: Annotated[list[Path], typer.Argument(help="Raw mails (RFC 5322); - is stdin.")],
) -> None:
    """Say what each mail is, one line of JSON a file. Needs no database and changes nothing."""
    for file in files:
        try:
            raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        except OSError as error:
            fail(BadInput(f"{file}: {error.strerror}."))
        sys.stdout.write(json.dumps(_told(file, raw), ensure_ascii=False) + "\n")


def _told(file: Path, raw: bytes) -> dict[str, Any]:
    found = mail_reading.read(raw)
    answer = meaning.read(found.text, today=utc_now().date()) if found.kind == "reply" else None
    return {
        "file": str(file),
        "kind": found.kind,
        "recipients": list(found.recipients),
        "status": found.status,
        "hard": found.hard,
        "message_id": found.message_id,
        "original_ids": list(found.original_ids),
        "text": found.text,
        "meaning": answer.meaning if answer else None,
        "until": answer.until.isoformat() if answer and answer.until else None,
        "reasons": [*found.reasons, *(answer.reasons if answer else ())],
    }


@app.command()
def unmatched(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Show mail that matched nobody or could not be read. It is kept, whatever it is."""

    async def work(opened: "App") -> Sequence[RowMapping]:
        async with transaction(opened.engine) as conn:
            return await inbox.unmatched(conn, limit=limit)

    rows = [_shown(row) for row in run(work)]
    if as_json:
        emit(rows)
        return
    if not rows:
        err.print("Everything that came back is somebody's answer.")
        return
    table = Table("received", "from", "subject", "why")
    for row in rows:
        table.add_row(
            *(Text(str(row[name])) for name in ("received_at", "sender", "subject", "why"))
        )
    out.print(table)


def _shown(row: RowMapping) -> dict[str, Any]:
    found = mail_reading.read(bytes(row["raw"])) if row["kind"] == "mail" else None
    return {
        "id": row["id"],
        "state": row["state"],
        "received_at": f"{row['received_at']:%Y-%m-%d %H:%M}",
        "source": row["source"],
        "kind": found.kind if found else row["kind"],
        "sender": (found.sender if found else None) or "",
        "subject": found.subject if found else "",
        "why": row["error"] or "nobody that we wrote to",
    }
