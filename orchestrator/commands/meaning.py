"""`avtale meaning`: how answers are read, and an operator's own words for it."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import meaning_file
from orchestrator.clock import utc_now
from orchestrator.commands.common import fail, out, settings
from orchestrator.errors import AvtaleError, BadInput
from orchestrator.rules import meaning
from orchestrator.rules.terminal import harmless_json

app = typer.Typer(help="How answers are read.", no_args_is_help=True)


@app.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(help="A file of words; without it, AVTALE_MEANING_FILE.")
    ] = None,
) -> None:
    """Say what is wrong in a file of words, by line. Changes nothing."""
    try:
        chosen = file or settings().meaning_file
        if chosen is None:
            fail(BadInput("Name a file, or set AVTALE_MEANING_FILE."))
        words = meaning_file.load(chosen)
    except AvtaleError as error:
        fail(error)
    names = ", ".join(one.name for one in words.languages)
    out.print(f"{chosen}: in order, together with the shipped words. Languages: {names}.")


@app.command(name="try")
def try_(
    text: Annotated[str, typer.Argument(help="What somebody wrote; - is stdin.")],
    file: Annotated[
        Path | None, typer.Option(help="A file of words; without it, AVTALE_MEANING_FILE.")
    ] = None,
) -> None:
    """Say what an answer means, and which rules said so. Needs no database, changes nothing."""
    try:
        chosen = file or settings().meaning_file
        if chosen is not None:
            meaning.use(words=meaning_file.load(chosen))
    except AvtaleError as error:
        fail(error)
    found = meaning.read(sys.stdin.read() if text == "-" else text, today=utc_now().date())
    told = {
        "meaning": found.meaning,
        "until": found.until.isoformat() if found.until else None,
        "whom": list(found.whom),
        "asks": list(found.asks),
        "reasons": list(found.reasons),
    }
    sys.stdout.write(harmless_json(json.dumps(told, ensure_ascii=False)) + "\n")
