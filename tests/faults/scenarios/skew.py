"""Workers whose clocks are wrong, and a clock that is set back while it sends."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.faults import audit
from tests.faults.harness import Town, town
from tests.faults.scenario import Outcome, Size, say, scenario

PEOPLE, MINUTES = 700, 1
SINK = ("--fault", "body=delay:0.3")  # 3 a second for each worker: the window closes on a rest
SKEWS = ("+300", "-300")
# The last hand-over may have begun just before the window closed: connection, envelope and body, on
# a busy machine. The clocks are off by a hundred times as much.
GRACE = 5.0


def library() -> str:
    """libfaketime for threads. Debian's package `faketime` has it."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert found, "libfaketime is missing: apt-get install faketime"
    return str(found[0])


def faked(offset: Path) -> dict[str, str]:
    """The environment of a process whose wall clock is off by what the file says, at any time. Its
    monotonic clock is true, as it is on a machine whose clock is set."""
    return {
        "LD_PRELOAD": library(),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


def seen(env: dict[str, str]) -> int:
    """By how many seconds a process with this environment is really off."""
    code = "import time; print(time.time())"
    shown = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | env, capture_output=True, text=True
    )
    return round(float(shown.stdout) - time.time())


def set_clock(file: Path, offset: str) -> None:
    """Set the clock of whoever reads `file`, at once."""
    part = file.with_suffix(".part")
    part.write_text(offset + "\n")
    part.rename(file)


def next_window(minutes: int) -> tuple[datetime, datetime]:
    """A window that opens at a full minute, at least 20 seconds from now, within one day."""
    while True:
        now = datetime.now(UTC)
        opens = (now + timedelta(seconds=80)).replace(second=0, microsecond=0)
        closes = opens + timedelta(minutes=minutes)
        if closes.date() == now.date():
            return opens, closes
        time.sleep(30)


@scenario("skew", quick=False, minutes=8)
def run(_size: Size) -> Outcome:
    """Three workers, one five minutes ahead, one five behind, one whose clock is set back by an
    hour while it sends: nothing leaves before the sender's hours open or after they close, nothing
    twice, and no lease is taken for expired.
    """
    opens, closes = next_window(MINUTES)
    hours = {"days": "mon-sun", "hours": f"{opens:%H:%M}-{closes:%H:%M}"}
    with town(sink=SINK, AVTALE_SEND_CONNECTIONS="1") as made:
        made.populate(PEOPLE, lanes=4, hours=hours)
        files = [made.home / f"clock-{n}" for n in range(3)]
        for file, offset in zip(files, (*SKEWS, "+0"), strict=True):
            set_clock(file, offset)
            made.start("worker", **faked(file))
        offsets = [seen(faked(file)) for file in files[:2]]
        made.wait(lambda: made.count() >= 20, seconds=150, what="the first messages")
        set_clock(files[2], "-3600")
        stepped = seen(faked(files[2]))
        say(f"{made.count()} taken when a clock is set back; workers off by {offsets}, {stepped} s")
        time.sleep(max(0.0, (closes - datetime.now(UTC)).total_seconds()) + GRACE + 5)
        return _judge(made, opens, closes, [*offsets, stepped])


def _judge(made: Town, opens: datetime, closes: datetime, offsets: list[int]) -> Outcome:
    times = sorted(one.at for one in made.taken())
    early = sum(at < opens.timestamp() for at in times)
    late = sum(at > closes.timestamp() + GRACE for at in times)
    ((expired,),) = made.query("select count(*) from history where kind = 'message.lease_expired'")
    checked = made.run("verify", "--json", "--settle", "2")
    waiting = PEOPLE - len(set(made.handed_over()))
    tally = audit.tally(made, expected=PEOPLE, stopped=waiting)
    faults = list(audit.judge(tally, in_doubt_at_most=0))
    if offsets != [300, -300, -3600]:
        faults.append(f"the clocks were off by {offsets} s: the fault was not there")
    if early or late:
        faults.append(f"{early} left before the window, {late} after it")
    if expired:
        faults.append(f"{expired} leases were taken for expired")
    if not waiting:
        faults.append("everything left before the window closed: its end was not tried")
    if checked.returncode:
        faults.append(f"verify: {checked.stdout[:2000]}{checked.stderr[:500]}")
    return Outcome(
        "skew",
        tally,
        {
            "clocks off by (s)": ", ".join(f"{one:+d}" for one in offsets),
            "taken in the window": len(times),
            "before it": early,
            "after it": late,
            "first after opening (s)": round(times[0] - opens.timestamp(), 2) if times else -1,
            "last before closing (s)": round(closes.timestamp() - times[-1], 2) if times else -1,
            "leases taken for expired": expired,
            "verify": "clean" if not checked.returncode else "not clean",
        },
        tuple(faults),
    )
