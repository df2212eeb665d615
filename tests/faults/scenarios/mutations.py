"""Each guard is taken out of a copy of the tree, and the scenario that holds it must turn red."""

import json
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.faults.scenario import Outcome, Size, Tally, say, scenario
from tests.mutants import copied, environment, replaced

_HANDOVER = "orchestrator/store/handover.py"
_SMTP = "channels/email/smtp.py"


@dataclass(frozen=True)
class Arm:
    """A guard less: what is replaced (file, guard, what is left), the scenario that must notice,
    and words of which it then says one."""

    edits: tuple[tuple[str, str, str], ...]
    scenario: str
    says: tuple[str, ...]


ARMS: dict[str, Arm] = {
    "no fence": Arm(
        (
            (_HANDOVER, "m.fence = w.fence and m.state = 'leased'", "m.state = 'leased'"),
            (_HANDOVER, "where m.id = w.id and m.fence = w.fence and (", "where m.id = w.id and ("),
        ),
        "stopped",
        ("duplicated", "handed_over_twice"),
    ),
    "what is in doubt is sent again": Arm(
        (
            (
                "orchestrator/store/leases.py",
                "update messages set state = 'in_doubt', lease_owner",
                "update messages set state = 'retry_wait', lease_owner",
            ),
        ),
        "points.smtp.after_250",
        ("duplicated", "handed_over_twice"),
    ),
    "no sweeper": Arm(
        (("orchestrator/worker.py", "if (await sweep(app, now)).doubted:", "if False:"),),
        "points.claim.after_commit",
        ("settling took longer",),
    ),
    "the point of no return after DATA": Arm(
        (
            (
                _SMTP,
                "        if not await mail.one.pass_point():\n"
                "            if not self._pipelining:\n                await self._reset()\n"
                "            return Stopped()\n",
                "",
            ),
            (
                _SMTP,
                "        self._clean = reply.code != 421\n        return classify(Phase.AFTER",
                "        if not await mail.one.pass_point():\n            return Stopped()\n"
                "        return classify(Phase.AFTER",
            ),
        ),
        "points.smtp.after_250",
        ("duplicated", "handed_over_twice"),
    ),
    "stops are not looked at again": Arm(
        (
            (
                _HANDOVER,
                "\n    and {MAY_LEAVE}\n  returning",
                "\n  and p.id = m.prospect_id\n  returning",
            ),
        ),
        "races",
        ("unexpected",),
    ),
    "an unknown commit is taken for a yes": Arm(
        (
            (
                "orchestrator/combiner.py",
                "_answer_passes(passes, _Written())",
                "_answer_passes(passes, _Written({one.message_id for one in passes},"
                " began=steady()))",
            ),
        ),
        "postgres.commit",
        ("duplicated", "handed_over_twice"),
    ),
}


def red(arm: Arm, home: Path) -> str:
    """Empty when the scenario turned red for the reason that it should; else what it did."""
    kept = home / "arm.json"
    kept.unlink(missing_ok=True)
    with ExitStack() as stack:
        for file, guard, without in arm.edits:
            stack.enter_context(replaced(home / file, guard, without))
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults", arm.scenario, "--json", str(kept)],
            cwd=home,
            env=environment(home),
            capture_output=True,
            text=True,
        )
    if not kept.exists():
        return f"{arm.scenario} did not run: {done.stderr[-300:]}"
    row = json.loads(kept.read_text())["scenarios"][arm.scenario]
    noticed = " ".join([*row["faults"], *(word for word, n in row["tally"].items() if n)])
    if done.returncode == 1 and row["faults"] and any(word in noticed for word in arm.says):
        return ""
    return f"{arm.scenario} stayed green or said something else: {noticed[:300]}"


@scenario("mutations", quick=False, minutes=15)
def run(size: Size) -> Outcome:
    """Guards are taken out one by one, each in a copy of the tree; the quick form of the scenario
    that holds it must turn red, and for the right reason."""
    faults: list[str] = []
    figures: dict[str, float | int | str] = {}
    with copied() as home:
        for name, arm in ARMS.items():
            try:
                wrong = red(arm, home)
            except LookupError as error:
                wrong = str(error)
            say(f"{name}: {wrong or 'red'}")
            figures[name] = f"{'NOT ' if wrong else ''}caught by {arm.scenario}"
            if wrong:
                faults.append(f"{name}: {wrong}")
    figures["turned red"] = f"{len(ARMS) - len(faults)} of {len(ARMS)}"
    return Outcome("mutations", Tally(), figures, tuple(faults))
