"""The import: twice without harm, killed without loss, in flat memory, and never over a no."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.db import transaction
from orchestrator.flows.import_prospects import ImportReport, import_prospects
from orchestrator.ids import uuid7
from orchestrator.models.people import companies, facts, identities, prospects, suppressions
from orchestrator.rules.import_rows import Reject
from orchestrator.wiring import App
from tests import make

HEADER = (
    "email,first_name,last_name,title,company,country,language,"
    "fact.pain,fact.pain.source,fact.pain.on"
)


def write_people(path: Path, count: int) -> Path:
    """`count` rows in 500 companies; every tenth repeats an address of before with a new title."""
    with path.open("w") as file:
        file.write(HEADER + "\n")
        for number in range(count):
            who = number if number % 10 else number // 2
            file.write(
                f"ola.{who}@acme{who % 500}.example,Ola,Hansen {who},Title {number},"
                f"Acme {who % 500},Norge,norsk,bilag {number % 7},https://acme.example/{who},2026-01-02\n"
            )
    return path


async def people(engine: AsyncEngine) -> list[tuple[Any, ...]]:
    """Everybody, without ids and times: what two databases can be compared by."""
    async with engine.connect() as conn:
        rows = await conn.execute(
            text(
                "select i.channel, i.address, p.first_name, p.last_name, p.title, p.language,"
                " p.country, p.attributes::text, c.key, c.name,"
                " (select array_agg((f.name, f.value, f.source, f.found_on)::text order by"
                "  f.name, f.value) from facts f where f.prospect_id = p.id),"
                " (select count(*) from identities x where x.prospect_id = p.id)"
                " from identities i join prospects p on p.id = i.prospect_id"
                " left join companies c on c.id = p.company_id order by 1, 2"
            )
        )
        return [tuple(row) for row in rows]


async def take(
    app: App, path: Path, content: str, **options: Any
) -> tuple[ImportReport, list[Reject]]:
    await asyncio.to_thread(path.write_text, content)
    rejects: list[Reject] = []
    report = await import_prospects(app, path, now=make.NOW, on_reject=rejects.append, **options)
    return report, rejects


async def test_twice_is_once(app: App, tmp_path: Path) -> None:
    path = write_people(tmp_path / "p.csv", 300)
    first = await import_prospects(app, path, now=make.NOW, batch_size=70)
    before = await people(app.engine)
    again = await import_prospects(app, path, now=make.NOW, batch_size=90)
    assert await people(app.engine) == before
    assert len(before) == first.created
    assert again.created == 0
    assert again.facts == 0
    assert first.taken == again.taken == 300
    one_batch = await import_prospects(app, path, now=make.NOW, batch_size=1000)
    assert (one_batch.updated, one_batch.facts) == (0, 0)
    assert await people(app.engine) == before


async def test_later_rows_fill_in_and_empty_cells_erase_nothing(app: App, tmp_path: Path) -> None:
    for size in (1, 100):
        report, _ = await take(
            app,
            tmp_path / "p.csv",
            "email,slack,first_name,title,language,note\n"
            f"Ola{size}@acme.example,,Ola,CFO,nb,a\n"
            f"ola{size}@ACME.example,u0{size},,CEO,,\n"
            f",u0{size},,,,b\n",
            batch_size=size,
        )
        assert report.taken == 3
    async with transaction(app.engine) as conn:
        rows = (await conn.execute(select(prospects))).mappings().all()
        assert len(rows) == 2
        for row in rows:
            assert (row["first_name"], row["title"], row["language"]) == ("Ola", "CEO", "nb")
            assert row["attributes"] == {"note": "b"}
        assert len((await conn.execute(select(identities))).all()) == 4
        assert len((await conn.execute(select(companies))).all()) == 1


async def test_the_fact_further_down_is_the_newer(app: App, tmp_path: Path) -> None:
    rows = "".join(f"ola@acme.example,value {n}\n" for n in range(20))
    await take(app, tmp_path / "p.csv", "email,fact.pain\n" + rows)
    async with transaction(app.engine) as conn:
        newest = select(facts.c.value).order_by(facts.c.recorded_at.desc()).limit(1)
        assert await conn.scalar(newest) == "value 19"


async def test_who_said_no_is_reported_and_stays_out(app: App, tmp_path: Path) -> None:
    async with transaction(app.engine) as conn:
        gone = await make.prospect(conn, app.keys, address="gone@acme.example", title=None)
        await conn.execute(
            update(prospects).where(prospects.c.id == gone).values(opted_out_at=make.NOW)
        )
        await conn.execute(
            insert(suppressions).values(
                id=uuid7(),
                scope="person",
                channel="email",
                address_hash=app.keys.address_hash("email", "erased@acme.example"),
                reason="opt_out",
            )
        )
    report, rejects = await take(
        app,
        tmp_path / "p.csv",
        "email,slack,title\nGone@acme.example,U1,x\nerased@acme.example,,x\nnew@acme.example,,x\n",
    )
    assert (report.created, report.opted_out, report.taken) == (1, 2, 1)
    assert [reject.line for reject in rejects] == [2, 3]
    assert rejects[0].cells[0] == "Gone@acme.example"
    async with transaction(app.engine) as conn:
        row = (await conn.execute(select(prospects).where(prospects.c.id == gone))).mappings().one()
        assert row["opted_out_at"] == make.NOW
        assert row["title"] is None
        addresses = set((await conn.execute(select(identities.c.address))).scalars())
        assert addresses == {"gone@acme.example", "new@acme.example"}


async def test_companies_meet_by_domain_and_keep_their_name(app: App, tmp_path: Path) -> None:
    await take(app, tmp_path / "a.csv", "email\nola@acme.example\nper@gmail.com\n")
    await take(
        app,
        tmp_path / "b.csv",
        "email,company,company domain,company country\n"
        "kari@acme.example,Acme AS,,NO\nsvein@mail.example,Acme,www.acme.example,\n",
    )
    await take(app, tmp_path / "c.csv", "email,title\nsvein@mail.example,CFO\n")
    async with transaction(app.engine) as conn:
        rows = (await conn.execute(select(companies))).mappings().all()
        assert [(row["key"], row["name"], row["country"]) for row in rows] == [
            ("acme.example", "Acme AS", "NO")
        ]
        alone = select(prospects.c.id).where(prospects.c.company_id.is_(None))
        assert len((await conn.execute(alone)).all()) == 1


async def test_a_dry_run_writes_nothing(app: App, tmp_path: Path) -> None:
    path = write_people(tmp_path / "p.csv", 50)
    report = await import_prospects(app, path, now=make.NOW, dry_run=True)
    assert report.created > 0
    assert await people(app.engine) == []


async def test_a_stream_of_bytes_is_taken(app: App) -> None:
    async def upload() -> AsyncIterator[bytes]:
        yield b"email;navn\nol"
        yield b"a@acme.example;Ola H\n"

    report = await import_prospects(app, upload(), now=make.NOW)
    assert (report.created, report.columns) == (1, {"email": "email", "navn": "name"})


async def test_two_imports_at_once_end_as_one(app: App, tmp_path: Path) -> None:
    path = write_people(tmp_path / "p.csv", 400)
    back = tmp_path / "back.csv"
    head, *lines = path.read_text().splitlines()
    back.write_text("\n".join([head, *reversed(lines)]) + "\n")
    reports = await asyncio.gather(
        *(import_prospects(app, one, now=make.NOW, batch_size=40) for one in (path, back, path))
    )
    assert sum(report.created for report in reports) == len(await people(app.engine))


async def start(url: str, path: Path, batch: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.flows.import_worker",
        url,
        str(path),
        str(batch),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )


async def test_killed_in_the_middle_and_started_again(
    app: App, database_url: str, tmp_path: Path
) -> None:
    path = write_people(tmp_path / "p.csv", 6000)
    reported = 0
    for kill_after in (1, 4, None):
        worker = await start(database_url, path, 250)
        assert worker.stdout is not None
        lines = 0
        async for line in worker.stdout:
            lines += 1
            if line.startswith(b"taken"):
                reported = int(line.split()[1])
            if lines == kill_after:
                worker.kill()
        await worker.wait()
        if kill_after is not None:
            assert reported < 6000
            # L3: what was reported as taken is there.
            mails = {line.split(",")[0] for line in path.read_text().splitlines()[1 : reported + 1]}
            assert mails <= {row[1] for row in await people(app.engine)}
    assert reported == 6000
    after = await people(app.engine)
    async with transaction(app.engine) as conn:
        await conn.execute(text("delete from facts"))
        await conn.execute(text("delete from identities"))
        await conn.execute(text("delete from prospects"))
        await conn.execute(text("delete from companies"))
    await import_prospects(app, path, now=make.NOW, batch_size=250)
    assert after == await people(app.engine)


@pytest.mark.slow
async def test_memory_is_flat(app: App, database_url: str, tmp_path: Path) -> None:
    peaks = []
    for count in (10_000, 100_000):
        path = write_people(tmp_path / f"{count}.csv", count)
        began = time.monotonic()
        worker = await start(database_url, path, 2000)
        out, _ = await worker.communicate()
        assert worker.returncode == 0
        peaks.append(int(out.split()[-1]))
        print(f"{count} rows: {count / (time.monotonic() - began):.0f} rows/s, {peaks[-1]} KiB")
    assert peaks[1] < peaks[0] * 1.25
