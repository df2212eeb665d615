"""The commands for people, run as a person runs them."""

import asyncio
import csv
import io
import json
import os
import sys
from pathlib import Path

from channels.linkedin.adapter import LinkedinChannel
from orchestrator.commands.enroll import read_addresses
from orchestrator.db import transaction
from orchestrator.wiring import App
from tests import make
from tests.conftest import SECRET

FILE = """E-post;Fornavn;Etternavn;Bedrift;Land;fact.pain;Kundenr
ola@acme.example;Ola;Hansen;Acme AS;Norge;bilag for hånd;17
kari@acme.example;Kari;=HYPERLINK("x");Acme AS;Utopia;;18
ola@acme.example, b@acme.example;;;;;;
"""


async def avtale(app: App, *words: str, code: int = 0, columns: int = 200) -> str:
    """Run the command line; its stdout, or its stderr when it must fail."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orchestrator.cli", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            "PATH": os.environ["PATH"],
            "AVTALE_DATABASE_URL": app.settings.database_url or "",
            "AVTALE_REDIS_URL": app.settings.redis_url or "",
            "AVTALE_SECRET_KEY": SECRET.decode(),
            "COLUMNS": str(columns),
            "AVTALE_ENV_FILE": "",
        },
    )
    out, err = await process.communicate()
    assert process.returncode == code, err.decode()
    return (err if code else out).decode()


async def test_from_a_file_to_enrolled(app: App, tmp_path: Path) -> None:
    file, rejects = tmp_path / "people.csv", tmp_path / "rejects.csv"
    file.write_text(FILE)
    async with transaction(app.engine) as conn:
        await make.world(conn)
    done = await avtale(app, "prospects", "import", str(file), "--rejects", str(rejects))
    assert "Took 1 rows: 1 new people" in done
    assert "line 3: Land: `Utopia` is no country" in done
    rows = list(csv.DictReader(io.StringIO(rejects.read_text("utf-8-sig")), delimiter=","))
    assert [row["avtale.line"] for row in rows] == ["3", "4"]
    assert rows[0]["Etternavn"] == '\'=HYPERLINK("x")'
    rejects.write_text(rejects.read_text("utf-8-sig").replace("Utopia", "Norge"))
    again = json.loads(await avtale(app, "prospects", "import", str(rejects), "--json"))
    assert (again["created"], again["rejected"]) == (1, 1)

    listed = await avtale(app, "prospects", "list", "--where", "fact.pain exists")
    assert "Ola Hansen" in listed
    assert "1 of 1" in listed
    shown = await avtale(app, "prospects", "show", "Ola@acme.example")
    assert "bilag for hånd" in shown
    assert "attributes.Kundenr" in shown

    dry = await avtale(app, "enroll", "test", "--where", "country = NO", "--dry-run")
    assert "Would enroll 2 of 2" in dry
    assert "Subject: Hello Ola" in dry
    some = tmp_path / "some.txt"
    some.write_text("OLA@acme.example\nnobody@acme.example\n")
    report = json.loads(await avtale(app, "enroll", "test", "--file", str(some), "--json"))
    assert report["enrolled"] == 1
    assert report["unknown"] == ["nobody@acme.example: nobody has this address"]
    assert "Enrolled 1 of 2" in await avtale(app, "enroll", "test", "--where", "country = NO")


async def test_faults_say_what_to_do(app: App, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("Navn\nOla\n")
    assert "No column is an address" in await avtale(app, "prospects", "import", str(file), code=2)
    assert "There is no file" in await avtale(app, "prospects", "import", "none.csv", code=2)
    assert "column 8" in await avtale(app, "prospects", "list", "--where", "title = ", code=2)
    assert "in one way" in await avtale(app, "enroll", "test", code=2)
    assert "no sequence" in await avtale(app, "enroll", "test", "--where", "company", code=2)


def test_addresses_of_a_file_are_spelled_as_their_channel_does(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("linkedin\nhttps://www.linkedin.com/in/Ola-Hansen/\nnot one\n")
    found, bad = read_addresses(file, {"linkedin": LinkedinChannel()})
    assert found == [("linkedin", "ola-hansen")]
    assert len(bad) == 1
