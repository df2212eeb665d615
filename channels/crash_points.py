"""Named places where a process can be made to die or to stop, to show what is left behind.

A place calls `point(NAME)`: one comparison while nothing is armed. `arm("NAME:N")` lets the N-th
call of that name kill this process with SIGKILL, `NAME:N:stop` lets it stop with SIGSTOP until
somebody continues it. A killed process writes nothing more, flushes nothing and says no goodbye.
"""

import os
import signal
from dataclasses import dataclass

# name -> what dying there shows
POINTS: dict[str, str] = {
    "plan.before_commit": "a planned message that was never committed is planned again",
    "plan.after_commit": "a planned message needs no doorbell",
    "claim.before_commit": "a lease that was never committed binds nobody",
    "claim.after_commit": "a lease that nobody works on is taken back",
    "prepare.after_freeze": "bytes that were never committed are made anew",
    "prepare.after_commit": "frozen bytes are what the next attempt sends",
    "smtp.connected": "nothing was said: unsent",
    "smtp.after_mail": "an envelope without a recipient: unsent",
    "smtp.after_rcpt": "an envelope without a body: unsent",
    "pass.before_commit": "a point of no return that was never committed: unsent",
    "pass.after_commit": "committed and nothing sent: in doubt, not resent",
    "smtp.after_354": "the server waits for a body that never comes: in doubt, not resent",
    "smtp.mid_body": "half a body was written: in doubt, not resent",
    "smtp.after_body": "the server has it all and nobody heard so: in doubt, not resent",
    "smtp.after_250": "the server said yes and nobody wrote it down: in doubt, not resent",
    "http.before_post": "committed and nothing sent to an HTTP provider: in doubt, then looked up",
    "http.after_answer": "an HTTP provider said yes, nobody noted it: in doubt, then looked up",
    "settle.before_commit": "an outcome that was never committed: in doubt, not resent",
    "settle.after_commit": "an outcome that is committed is acted on once",
    "sweep.before_commit": "a sweep that was never committed is swept again",
    "reconcile.after_answer": "an answer of the provider that was not noted is asked for again",
}


@dataclass(slots=True)
class _Armed:
    name: str
    left: int
    deed: signal.Signals


_armed: _Armed | None = None
_DEEDS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


def arm(spec: str) -> None:
    """Arm this process with `NAME:N[:kill|:stop]`, N from 1; "" disarms it.

    Raises ValueError for what is no such spec, naming the points there are.
    """
    global _armed
    _armed = None if not spec else _read(spec)


def _read(spec: str) -> _Armed:
    name, _, rest = spec.partition(":")
    number, _, deed = rest.partition(":")
    if name not in POINTS:
        raise ValueError(f"no crash point {name!r}: there are {', '.join(POINTS)}")
    if not (number.isascii() and number.isdecimal() and int(number) > 0):
        raise ValueError(f"{spec!r}: which hit of {name}? Write {name}:1")
    if (deed or "kill") not in _DEEDS:
        raise ValueError(f"{spec!r}: a point can kill or stop, not {deed!r}")
    return _Armed(name, int(number), _DEEDS[deed or "kill"])


def is_armed(name: str) -> bool:
    """Whether this point is armed, for a place that has to prepare the deed."""
    return _armed is not None and _armed.name == name


def point(name: str) -> None:
    """Nothing, unless armed for `name` and this is the hit that was asked for."""
    if _armed is not None and _armed.name == name:
        _hit(_armed)


def _hit(armed: _Armed) -> None:
    global _armed
    armed.left -= 1
    if armed.left == 0:
        _armed = None
        os.kill(os.getpid(), armed.deed)
