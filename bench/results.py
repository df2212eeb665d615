"""The JSON of a run: each path with its date, its noise and what came of its measures."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from bench import noise, report
from bench.measure import Result, Size


class Results:
    """What is known, written to `file` after each path. What is not run again stays as it was."""

    def __init__(self, file: Path | None, data: dict[str, Any]) -> None:
        self.file = file
        self.data = data

    @classmethod
    def load(cls, file: Path | None, size: Size) -> Self:
        """From `file` where it has figures of the same size."""
        data: dict[str, Any] = {"size": size, "paths": {}}
        if file and file.exists():
            found = json.loads(file.read_text())
            if found.get("size") == size and "paths" in found:
                data = found
        data["machine"] = noise.machine()
        return cls(file, data)

    def add(
        self, name: str, found: list[Result], told: dict[str, Any], failed: str | None = None
    ) -> None:
        """Keep one path and write the file."""
        self.data["paths"][name] = {
            "taken": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "failed": failed,
            "noise": told,
            "results": [asdict(one) | {"met": one.met} for one in found],
        }
        if self.file:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_text(json.dumps(self.data, indent=1) + "\n")

    def missed(self, names: list[str]) -> list[str]:
        """What of the paths `names` does not keep its bound."""
        return [
            one["name"]
            for name in names
            for one in self.data["paths"][name]["results"]
            if one["met"] is False
        ]

    def tables(self) -> str:
        """Everything as text."""
        return report.everything(self.data)
