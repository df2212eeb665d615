"""`avtale mail`: read a mail as the service does, and see what matched nobody."""

import json
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text
from sqlalchemy import RowMapping

from orchestrator import meaning_file
from orchestrator.clock import utc_now
from orchestrator.commands import mail_files
from orchestrator.commands.common import emit, err, fail, out, run
from orchestrator.config import get_settings
from orchestrator.db import transaction
from orchestrator.errors import BadInput
from orchestrator.rules import mail_reading, meaning
from orchestrator.rules.mail_shown import shown
from orchestrator.rules.terminal import harmless, harmless_json
from orchestrator.store import inbox

if TYPE_CHECKING:
    from orchestrator.wiring import App

app = typer.Typer(help="Mail that came back.", no_args_is_help=True)


_READ_HELP = """Say what each mail is, one line of JSON a mail. Needs no database, changes nothing.

FILE is a raw mail (RFC 5322), an mbox, a directory of them, or - for stdin.

kind: bounce, delayed, complaint, auto_reply, own, calendar, reply, unknown.

class: of a bounce hard, mailbox_full, policy, transient or other; of a delay transient or
mailbox_full; of a complaint abuse, fraud, virus, opt_out or other; of an automatic reply
out_of_office, ticket or other; else null.

recipients: whom a report is about. message_id: the message that a report is about or that a reply
answers, without angle brackets (own_message_id is that of the mail itself). text, meaning, until:
what a person wrote, what they want and when; until of an absence is the first day back.
status: the enhanced status code (RFC 3463). reasons: what was decided on.

A file that cannot be read is a line with `error`, and exit code 1 at the end.

Example: `avtale mail read bounces/ | jq .class`
"""


@app.command(help=_READ_HELP)
def read(
    files: Annotated[
        list[Path],
        typer.Argument(help="Mails, mboxes or directories; - is stdin.", metavar="FILE"),
    ],
    own: Annotated[
        list[str] | None, typer.Option(help="An address that we write from; repeatable.")
    ] = None,
) -> None:
    """Read mails as the service does."""
    meaning_file.use(get_settings())
    failed = False
    for name, raw in mail_files.mails(files, sys.stdin.buffer):
        if isinstance(raw, str):
            failed = True
            told: dict[str, Any] = {"file": name, "kind": "unknown", "error": raw}
        else:
            told = _told(name, raw, own or ())
        sys.stdout.write(harmless_json(json.dumps(told, ensure_ascii=False)) + "\n")
    if failed:
        raise typer.Exit(1)


def _told(name: str, raw: bytes, own: Collection[str]) -> dict[str, Any]:
    found = mail_reading.read(raw, own=own)
    answer = None
    if found.kind == "reply":
        today = found.date or utc_now()
        answer = meaning.read(found.text, today=today.date())
        if answer.meaning != "stop" and (said := meaning.stop_in_subject(found.subject)):
            answer = meaning.Verdict("stop", reasons=said)
    returns = found.absence.returns if found.absence else None
    until = answer.until if answer else returns
    about = [*found.original_ids, *found.in_reply_to, *reversed(found.references)]
    return {
        "file": name,
        "kind": found.kind,
        "class": found.class_ or None,
        "recipients": list(found.recipients),
        "message_id": about[0].strip("<>") if about else None,
        "text": found.text,
        "meaning": answer.meaning if answer else None,
        "until": until.isoformat() if until else None,
        "reasons": [*found.reasons, *(answer.reasons if answer else ())],
        "status": found.status,
        "hard": found.hard,
        "gone": bool(found.absence and found.absence.gone),
        "instead": list(found.absence.instead) if found.absence else [],
        "tokens": list(found.tokens),
        "sender": found.sender,
        "subject": found.subject,
        "own_message_id": found.message_id.strip("<>") if found.message_id else None,
    }


@app.command()
def html(
    file: Annotated[Path, typer.Argument(help="A raw mail; - is stdin.", metavar="FILE")],
) -> None:
    """Write the HTML of a mail without anything that acts: no scripts, forms, images, requests.

    Example: `avtale mail html answer.eml > answer.html`
    """
    ((_, raw),) = [*mail_files.mails([file], sys.stdin.buffer)][:1] or [("", "There is no mail.")]
    if isinstance(raw, str):
        fail(BadInput(f"{file}: {raw}"))
    cleaned = harmless(shown(raw).html)
    if not cleaned.strip():
        err.print("This mail has no HTML: `avtale mail read` shows its text.")
        return
    sys.stdout.write(cleaned + "\n")


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
