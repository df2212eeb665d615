"""Change every mail of the corpora at random and read it: no exception, no slow mail.

python -m tests.corpus.fuzz [--minutes 10] [--seed 1] [--memory]

Time is the processor time of the thread that reads, since the wall's clock also counts what else
the machine is at; the longest by the wall is printed beside it. The limit is 100 ms a mail of up to
1 MB on a machine as fast as the one that it was set on: a fixed piece of work is timed first, and
the limit grows with it. A mail over the limit is read three times more, and its least time counts.
`--memory` reads 25 MB mails in a process of their own and prints how much more it needs than for an
empty one.
"""

import argparse
import random
import re
import resource
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path

from orchestrator.rules.mail import parts
from orchestrator.rules.mail_reading import _read
from tests.corpus import variants

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
LIMIT = 0.100  # seconds for a mail of at most MOST bytes, where the fixed work takes WORK
WORK = 0.022  # seconds: an idle core of the machine that the limit was set on
MOST = 1_000_000
OURS = ("You get this because we think of you.\nUnsubscribe: https://a.example/u/x\n",)

# What breaks readers of mail: syntax that nests, repeats, or begins and never ends.
NASTY = tuple(
    one.encode("latin-1").decode("unicode_escape").encode("latin-1")
    for one in (Path(__file__).with_name("nasty.txt")).read_text("latin-1").splitlines()
)


@dataclass
class Run:
    """What a run came to."""

    mails: int = 0
    bytes: int = 0
    slowest: float = 0.0
    wall: float = 0.0  # the longest by the clock on the wall
    factor: float = 1.0
    faults: list[str] = field(default_factory=list)


def corpus() -> list[bytes]:
    """Every mail of the corpora; a reply of `replies` gets a header."""
    found = [path.read_bytes() for path in sorted(CORPORA.glob("bounces/*.eml"))]
    head = b"From: ola@acme.example\nTo: kari@sender.example\nSubject: Re: hello\n"
    head += b"Content-Type: text/plain; charset=utf-8\n\n"
    return [*found, *(head + one.read_bytes() for one in sorted(CORPORA.glob("replies/emails/*")))]


def mutated(seeds: list[bytes], dice: random.Random) -> bytes:
    """A mail of the corpus, changed a few times; one in eight is grown to 1 MB."""
    raw = bytearray(dice.choice(seeds))
    if dice.random() < 0.3:
        raw = bytearray(dice.choice(list(variants.each(bytes(raw))))[1])
    for _ in range(dice.randint(1, 8)):
        raw = bytearray(dice.choice(_CHANGES)(raw, seeds, dice))
    if dice.random() < 0.125:
        raw = _grown(raw, dice)
    return bytes(raw[:MOST])


def _grown(raw: bytearray, dice: random.Random) -> bytearray:
    at = dice.randrange(len(raw) + 1)
    if dice.random() < 0.3:  # where most is looked at: the beginning of the body
        blank = re.search(rb"\r?\n\r?\n", raw)
        at = blank.end() if blank else at
    piece = (
        dice.choice(NASTY) if dice.random() < 0.6 else bytes(raw[at : at + dice.randint(1, 400)])
    )
    return raw[:at] + (piece or b"x") * (MOST // (len(piece) or 1)) + raw[at:]


def _flip(raw: bytearray, _: list[bytes], dice: random.Random) -> bytearray:
    for _n in range(dice.randint(1, 12)):
        if raw:
            raw[dice.randrange(len(raw))] = dice.randrange(256)
    return raw


def _cut(raw: bytearray, _: list[bytes], dice: random.Random) -> bytearray:
    at = dice.randrange(len(raw) + 1)
    return raw[:at] + raw[at + dice.randint(1, 400) :]


def _insert(raw: bytearray, _: list[bytes], dice: random.Random) -> bytearray:
    at = dice.randrange(len(raw) + 1)
    return raw[:at] + dice.choice(NASTY) * dice.choice((1, 1, 2, 40, 2000)) + raw[at:]


def _splice(raw: bytearray, seeds: list[bytes], dice: random.Random) -> bytearray:
    other = dice.choice(seeds)
    return raw[: dice.randrange(len(raw) + 1)] + other[dice.randrange(len(other)) :]


def _double(raw: bytearray, _: list[bytes], dice: random.Random) -> bytearray:
    at = dice.randrange(len(raw) + 1)
    piece = raw[at : at + dice.randint(1, 2000)]
    return raw[:at] + piece * dice.choice((2, 3, 30)) + raw[at:]


def _lines(raw: bytearray, _: list[bytes], dice: random.Random) -> bytearray:
    lines = bytes(raw).split(b"\n")
    one, two = dice.randrange(len(lines)), dice.randrange(len(lines))
    lines[one], lines[two] = lines[two], lines[one]
    return bytearray(b"\n".join(lines))


_CHANGES: tuple[Callable[[bytearray, list[bytes], random.Random], bytearray], ...] = (
    _flip,
    _cut,
    _insert,
    _splice,
    _double,
    _lines,
)


def took(raw: bytes) -> float:
    """Processor seconds of this thread to read one mail; raises what the reader raises."""
    started = time.thread_time()
    _read(parts.parse(raw), (), OURS, (), date(2026, 11, 23))
    return time.thread_time() - started


@lru_cache(maxsize=1)
def fixed_work() -> float:
    """Processor seconds for what a reader does most: the least of five times."""
    text = "On Monday ola <ola@acme.example> wrote: it could not be delivered, 550 5.1.1.\n" * 4000
    pattern = re.compile(r"(?i)(user|mailbox)\s\w+|[\w.]+@[\w.]+")

    def once() -> float:
        started = time.thread_time()
        for line in text.splitlines():
            pattern.findall(line)
            line.casefold().split()
        return time.thread_time() - started

    return min(once() for _ in range(5))


def run(
    mails: Iterable[bytes],
    *,
    until: float | None = None,
    most: int | None = None,
    slack: float = 1.0,
) -> Run:
    """Read mails until the time (monotonic) or the number is reached. `slack` widens the limit."""
    result = Run(factor=slack * max(1.0, fixed_work() / WORK))
    for raw in mails:
        if (until and time.monotonic() > until) or (most and result.mails >= most):
            break
        result.mails += 1
        result.bytes += len(raw)
        try:
            started = time.monotonic()
            seconds = took(raw)
            result.wall = max(result.wall, time.monotonic() - started)
            if seconds > LIMIT * result.factor:
                seconds = min(seconds, *(took(raw) for _ in range(3)))
        except Exception:
            result.faults.append(traceback.format_exc(limit=-4))
            _keep(raw, len(result.faults))
            continue
        result.slowest = max(result.slowest, seconds)
        if seconds > LIMIT * result.factor:
            result.faults.append(f"{seconds * 1000:.0f} ms for {len(raw)} bytes: {raw[:60]!r}")
            _keep(raw, len(result.faults))
    return result


KEEP: list[Path] = []


def _keep(raw: bytes, number: int) -> None:
    """Keep a mail that failed, where the command was told to."""
    for folder in KEEP:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.eml").write_bytes(raw)


def large(kind: str) -> bytes:
    """A mail of 25 MB, large in one way or another."""
    size = 25_000_000
    head = b"From: ola@acme.example\nSubject: Re: hello\nMIME-Version: 1.0\n"
    match kind:
        case "empty":
            return head + b"\n"
        case "text":
            return (
                head + b"\n" + b"a line of text that goes on and on, user unknown\n" * (size // 49)
            )
        case "html":
            return head + b"Content-Type: text/html\n\n" + b"<p>Hello <b>you</b>" * (size // 19)
        case "attachment":
            head += b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nJa takk\n--b\n"
            head += b"Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n"
            return head + (b"QUJD" * 18 + b"\n") * (size // 73) + b"--b--\n"
        case "parts":
            head += b"Content-Type: multipart/mixed; boundary=b\n\n"
            return head + b"--b\n\nx\n" * (size // 7)
        case "header":
            return b"X-A: b\n" * (size // 7) + head + b"\n"
        case _:  # "report"
            head += b"Content-Type: multipart/report; boundary=b\n\n--b\n"
            head += b"Content-Type: message/delivery-status\n\n"
            return head + b"Final-Recipient: rfc822; a@b.c\nAction: failed\n\n" * (size // 47)


LARGE = ("empty", "text", "html", "attachment", "parts", "header", "report")


def peak(kind: str) -> int:
    """The most memory, in bytes, of a process that reads one large mail."""
    command = [sys.executable, "-m", "tests.corpus.fuzz", "--peak", kind]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        command, cwd=root, capture_output=True, text=True, check=True, timeout=120
    )
    return int(done.stdout)


def main() -> int:
    form = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--keep", type=Path, help="a folder for the mails that failed")
    parser.add_argument("--peak", choices=LARGE, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.peak:
        took(large(asked.peak))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
        return 0
    if asked.memory:
        base = peak("empty")
        for kind in LARGE[1:]:
            print(f"{kind:12} {(peak(kind) - base) / 1e6:7.1f} MB more than an empty mail")
        return 0
    KEEP.extend([asked.keep] if asked.keep else [])
    seeds, dice = corpus(), random.Random(asked.seed)
    endless = iter(lambda: mutated(seeds, dice), b"never")
    found = run(endless, until=time.monotonic() + asked.minutes * 60)
    print(
        f"{found.mails} mails, {found.bytes / 1e6:.0f} MB, seed {asked.seed}: "
        f"{len(found.faults)} faults; slowest {found.slowest * 1000:.0f} ms "
        f"of {LIMIT * found.factor * 1000:.0f} ms of processor time, {found.wall * 1000:.0f} ms by "
        "the wall"
    )
    for fault in found.faults[:20]:
        print(fault)
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())
