"""The results of the suite as JSON, as a table, and inside a page between two markers."""

import json
import os
import platform
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.faults.scenario import Outcome, Scenario, Size, Tally

BEGIN = "<!-- faults: begin, written by python -m tests.faults -->"
END = "<!-- faults: end -->"
_COLUMNS = ("messages", "kills", "lost", "duplicated", "unexpected", "in_doubt")
_ROOT = Path(__file__).parents[2]


class Results:
    """The outcomes of a run; kept in a file after each, when there is one."""

    def __init__(self, path: Path | None, size: Size) -> None:
        self._path = path
        self.size = size
        self.rows: dict[str, dict[str, Any]] = {}

    @classmethod
    def load(cls, path: Path | None, size: Size) -> "Results":
        """What `path` holds of runs of this size; other sizes are not mixed in."""
        made = cls(path, size)
        if path is not None and path.exists():
            kept = json.loads(path.read_text())
            if kept["size"] == size:
                made.rows = kept["scenarios"]
        return made

    def add(self, one: Scenario, outcome: Outcome, seconds: float) -> None:
        """Note one outcome, and write the file anew."""
        self.rows[one.name] = {
            "about": one.about,
            "control": one.control,
            "tally": asdict(outcome.tally),
            "figures": outcome.figures,
            "faults": list(outcome.faults),
            "seconds": round(seconds, 1),
            "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "commit": _commit(),
        }
        if self._path is not None:
            kept = {"size": self.size, "machine": machine(), "scenarios": self.rows}
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._path.with_suffix(".new")
            fresh.write_text(json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
            fresh.replace(self._path)

    def total(self) -> Tally:
        """The sum over all scenarios but the controls."""
        ours = (Tally(**row["tally"]) for row in self.rows.values() if not row["control"])
        return sum(ours, Tally())

    def table(self) -> str:
        """One line a scenario in the queue words, the sum, and what it bounds."""
        body = [
            _line(name, row["tally"], _verdict(row))
            for name, row in sorted(self.rows.items(), key=lambda pair: (pair[1]["control"], pair))
        ]
        total = self.total()
        body.append(_line("**all of ours**", asdict(total), _bound(total)))
        head = ["scenario", *(name.replace("_", " ") for name in _COLUMNS), ""]
        rule = ["---", *(["---:"] * len(_COLUMNS)), "---"]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *body))

    def figures(self) -> str:
        """What each scenario shows, and its own figures."""
        lines = []
        for name, row in sorted(self.rows.items()):
            lines.append(f"- **{name}** ({row['date']}, {row['seconds']:.0f} s): {row['about']}")
            if row["figures"]:
                told = (f"{key}: {_figure(value)}" for key, value in row["figures"].items())
                lines.append(f"  *{'; '.join(told)}.*")
        return "\n".join(lines)

    def write_page(self, page: Path) -> None:
        """Put the table and the figures between the markers of `page`."""
        before, _, rest = page.read_text().partition(BEGIN)
        _, found, after = rest.partition(END)
        assert found, f"{page} lacks the markers {BEGIN!r} and {END!r}"
        dates = sorted({row["date"][:10] for row in self.rows.values()})
        made = (
            f"`make faults{'-full' if self.size == 'full' else ''}` on {machine()},"
            f" {' and '.join(dates)}.\n\n{self.table()}\n\n{self.figures()}"
        )
        page.write_text(f"{before}{BEGIN}\n\n{made}\n\n{END}{after}")


def _line(name: str, tally: dict[str, int], note: str) -> list[str]:
    return [name, *(f"{tally[column]:,}" for column in _COLUMNS), note]


def _verdict(row: dict[str, Any]) -> str:
    if row["control"]:
        return "not ours: the control"
    return "; ".join(row["faults"]).replace("|", "/") or "green"


def _bound(total: Tally) -> str:
    """The rule of three: none in N, so at most 3/N with 95 % confidence."""
    if total.lost or total.duplicated or not total.messages:
        return ""
    return f"none in {total.messages:,}: below {3 / total.messages:.3%} with 95 % confidence"


def _figure(value: float | int | str) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def machine() -> str:
    """What this ran on, in words that name no machine."""
    cores = len(os.sched_getaffinity(0))
    system = f"{platform.system()} {platform.machine()}"
    return f"{cores} cores, {system}, Python {platform.python_version()}"


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=_ROOT, capture_output=True, text=True
    )
    return done.stdout.strip() or "unknown"
