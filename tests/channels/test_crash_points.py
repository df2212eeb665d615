"""Crash points: nothing while not armed, the deed at the hit that was asked for, and no other."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from channels import crash_points
from channels.email.adapter import EmailChannel
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


async def test_mid_body_comes_after_half_of_the_body_was_really_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    channel, heard = EmailChannel(), list[bytes]()
    async with serving(Sink(answers={"data": "354 go"})) as sink:
        sender = account(sink.port)
        mail = message(channel, sender)
        sockets = _written(monkeypatch, heard)
        monkeypatch.setattr(os, "kill", lambda _pid, _deed: sockets.append(b"-- dead --"))
        crash_points.arm("smtp.mid_body:1")
        await channel.send(sender, mail, passing()[0])
        await channel.close()
    dead = heard.index(b"-- dead --")
    before = b"".join(heard[:dead]).partition(b"DATA\r\n")[2]
    assert len(mail.payload) // 3 < len(before) < len(mail.payload)
    assert mail.payload.startswith(before)
    assert sink.mails[0].data == mail.payload  # a process that goes on loses nothing


def _written(monkeypatch: pytest.MonkeyPatch, heard: list[bytes]) -> list[bytes]:
    """What this process gives to its SMTP socket, in order."""
    transport = asyncio.selector_events._SelectorSocketTransport  # type: ignore[attr-defined]  # private
    plain = transport.write

    def write(self: object, data: bytes) -> None:
        plain(self, data)
        assert not self._buffer  # type: ignore[attr-defined]  # written, not kept for later
        if not data.startswith((b"220", b"250", b"354", b"221")):
            heard.append(bytes(data))

    monkeypatch.setattr(transport, "write", write)
    return heard


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
