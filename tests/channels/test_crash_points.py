"""Crash points: nothing while not armed, the deed at the hit that was asked for, and no other."""

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from channels import crash_points
from channels.base import Sent
from channels.email.adapter import EmailChannel
from channels.email.smtp import wire_form
from orchestrator.config import Settings
from orchestrator.errors import SetupError
from orchestrator.wiring import arm_crash_point
from tests.channels.make import account, message, passing
from tests.channels.sink import Sink, serving


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    crash_points.arm("")


@pytest.fixture
def deeds(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What would have been done to this process."""
    done: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, deed: done.append((pid, deed)))
    return done


def hits(*names: str) -> None:
    for name in names:
        crash_points.point(name)


def test_nothing_happens_unless_armed(deeds: list[tuple[int, int]]) -> None:
    hits(*crash_points.POINTS)
    assert deeds == []


def test_the_deed_comes_at_the_hit_that_was_asked_for_and_once(
    deeds: list[tuple[int, int]],
) -> None:
    crash_points.arm("smtp.after_rcpt:3")
    hits("smtp.after_rcpt", "smtp.after_mail", "smtp.after_rcpt", "smtp.after_mail")
    assert deeds == []
    hits("smtp.after_rcpt")
    assert deeds == [(os.getpid(), signal.SIGKILL)]
    hits("smtp.after_rcpt", "smtp.after_rcpt", "smtp.after_rcpt")
    assert len(deeds) == 1


def test_a_process_can_be_stopped_instead(deeds: list[tuple[int, int]]) -> None:
    crash_points.arm("pass.after_commit:1:stop")
    hits("pass.after_commit")
    assert deeds == [(os.getpid(), signal.SIGSTOP)]


@pytest.mark.parametrize(
    "spec",
    [
        *("smtp.nowhere:1", "smtp.connected", "smtp.connected:0", "smtp.connected:-1"),
        *("smtp.connected:x", "smtp.connected:1:maim", "smtp.connected:²", ":1"),
    ],
)
def test_what_is_no_spec_is_refused_in_words(spec: str) -> None:
    with pytest.raises(ValueError, match=r"crash point|which hit|kill or stop"):
        crash_points.arm(spec)


def test_it_is_refused_outside_a_test_of_faults() -> None:
    with pytest.raises(SetupError, match="AVTALE_FAULTS=1"):
        arm_crash_point(Settings(crash_at="smtp.connected:1"))
    assert not crash_points.is_armed("smtp.connected")
    with pytest.raises(SetupError, match="no crash point"):
        arm_crash_point(Settings(crash_at="nowhere:1", faults=True))
    arm_crash_point(Settings(crash_at="smtp.connected:1", faults=True))
    assert crash_points.is_armed("smtp.connected")


_CHILD = """
import sys
from channels import crash_points
crash_points.arm(sys.argv[1])
for n in range(3):
    print(n, flush=True)
    crash_points.point("plan.after_commit")
"""


def test_a_real_process_dies_without_another_word() -> None:
    child = subprocess.run(
        [sys.executable, "-c", _CHILD, "plan.after_commit:2"], capture_output=True, timeout=30
    )
    assert child.returncode == -signal.SIGKILL
    assert child.stdout.split() == [b"0", b"1"]


_SENDER = """
import asyncio, pickle, sys
import uvloop
from channels import crash_points
from channels.base import Sent
from channels.email.adapter import EmailChannel
from channels.email.smtp import wire_form

async def passing():
    return True

async def main():
    account, message = pickle.load(sys.stdin.buffer)
    await EmailChannel().send(account, message, passing)

crash_points.arm(sys.argv[1])
(uvloop.run if sys.argv[2] == "uvloop" else asyncio.run)(main())
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize(
    ("name", "share"),
    [("smtp.after_354", 0.0), ("smtp.mid_body", 0.5), ("smtp.after_body", 1.0)],
)
async def test_what_was_written_before_the_death_has_left(
    name: str, share: float, loop: str
) -> None:
    """On the wire, and not in a buffer of the process that died."""
    channel = EmailChannel()
    async with serving(Sink()) as sink:
        sender = account(sink.port)
        mail = message(channel, sender)
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _SENDER, f"{name}:1", loop), stdin=asyncio.subprocess.PIPE
        )
        await asyncio.wait_for(child.communicate(pickle.dumps((sender, mail))), 30)
        assert child.returncode == -signal.SIGKILL
        await sink.idle()
    wire = wire_form(mail.payload)
    left = sink.cut_off if share < 1 else bytes(sink.heard).partition(b"DATA\r\n")[2]
    assert left == wire[: int(len(wire) * share)]
    assert len(sink.mails) == (share == 1)


async def test_a_process_that_goes_on_after_its_stop_sends_the_rest(
    deeds: list[tuple[int, int]],
) -> None:
    channel = EmailChannel()
    crash_points.arm("smtp.mid_body:1:stop")
    async with serving(Sink()) as sink:
        sender = account(sink.port)
        mail = message(channel, sender)
        assert isinstance(await channel.send(sender, mail, passing()[0]), Sent)
        await channel.close()
    assert deeds == [(os.getpid(), signal.SIGSTOP)]
    assert [one.data for one in sink.mails] == [mail.payload]


def test_a_point_that_is_not_armed_costs_next_to_nothing() -> None:
    """Less than putting 200 numbers into a string, which is less than any mail costs."""
    started = time.perf_counter()
    for _ in range(20_000):
        crash_points.point("smtp.connected")
    each = (time.perf_counter() - started) / 20_000
    print(f"\na point costs {each * 1e9:.0f} ns")
    started = time.perf_counter()
    for _ in range(200):
        small_work()
    assert each < (time.perf_counter() - started) / 200


def small_work() -> bytes:
    """200 numbers in a string."""
    return b"".join(b"%d" % n for n in range(200))
