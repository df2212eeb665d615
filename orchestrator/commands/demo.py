"""`avtale demo`: everything with a sandbox to play in; `--auto` plays it by itself."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="See it work.")


@app.command()
def demo(
    auto: Annotated[
        bool, typer.Option("--auto", help="Play the prospect too; one line a stage, JSON last.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what was played before.")] = False,
    data_dir: Annotated[Path, typer.Option(help="Where the demo keeps its data.")] = Path(
        "var/demo"
    ),
    port: Annotated[int | None, typer.Option(help="Default 8400, or a free one.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show what the service logs.")] = False,
) -> None:
    """Start everything with made-up people and an inbox in which you play them.

    Nothing leaves this machine. `--auto` uses a directory of its own and ends by itself.
    """
    from orchestrator.sandbox import demo as playing  # a second of imports for this command only

    raise typer.Exit(playing.run(data_dir, auto=auto, fresh=fresh, port=port, verbose=verbose))
