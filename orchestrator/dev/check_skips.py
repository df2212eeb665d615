"""In CI every test runs: read pytest's junit files and exit 1 when one was skipped."""

import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree


def skipped(report: Path) -> Iterator[str]:
    """Each skipped test of one report, with its reason."""
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it just now
        for skip in case.findall("skipped"):
            # An expected failure is reported like a skip; it did run.
            if skip.get("type") != "pytest.xfail":
                yield f"{case.get('classname')}::{case.get('name')}: {skip.get('message')}"


def main() -> int:
    """`python -m orchestrator.dev.check_skips REPORT.xml ...`."""
    found = [line for report in sys.argv[1:] for line in skipped(Path(report))]
    sys.stdout.write("".join(f"skipped in CI: {line}\n" for line in found))
    sys.stdout.write("" if found else "none\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
