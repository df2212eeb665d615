"""Score the reader of incoming mail on labelled mails.

python -m tests.corpus.score [FOLDER...] [--flufl] [--part all|dev|held] [--misses] [--json]

A FOLDER has `labels.jsonl` beside its `*.eml`; the default is `../shared/corpora/bounces`. With
`--flufl` the test mails of flufl.bounce are fetched with pip (its source distribution) and scored.
`held` is every third mail, which was not looked at while the rules were written.
"""

import argparse
import json
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.rules import mail_reading
from orchestrator.rules.mail_reading import Reading
from tests.corpus import labels
from tests.corpus.labels import Truth

BOUNCES = Path(__file__).parents[3] / "shared" / "corpora" / "bounces"
PEOPLE = ("reply", "own", "calendar")


@dataclass
class Score:
    """Counts of one run, and what went wrong."""

    mails: int = 0
    named: int = 0
    recipients: int = 0
    classed: int = 0
    strict: int = 0
    wide: int = 0
    with_id: int = 0
    ids: int = 0
    exceptions: int = 0
    taken_for_people: int = 0
    taken_for_absence: int = 0
    per_class: Counter[tuple[str, str]] = field(default_factory=Counter)
    misses: list[str] = field(default_factory=list)


def coarse(found: Reading) -> str:
    """The coarse class that a reading says: of a bounce or an automatic reply its own, else the
    kind. A report of success is `other`, as is feedback that complains of nothing."""
    if found.kind in ("bounce", "delayed", "auto_reply"):
        return found.class_
    return found.kind


def score(truths: list[Truth], folder: Path) -> Score:
    """Read every mail and compare."""
    result = Score()
    for truth in truths:
        _one(result, truth, mail_reading.read((folder / truth.file).read_bytes()))
    return result


def _one(result: Score, truth: Truth, found: Reading) -> None:
    result.mails += 1
    if any(reason.startswith("unreadable") for reason in found.reasons):
        result.exceptions += 1
        result.misses.append(f"{truth.file}: {found.reasons}")
    said, where = coarse(found), truth.file
    if truth.recipients is not None:
        result.named += 1
        right = {one.lower() for one in found.recipients} == truth.recipients
        result.recipients += right
        if not right:
            wanted = sorted(truth.recipients)
            result.misses.append(f"{where}: recipients {found.recipients}, not {wanted}")
    if truth.classes:
        result.classed += 1
        result.strict += said in truth.classes
        result.wide += said in truth.also
        result.per_class[min(truth.classes), said if said not in truth.classes else "right"] += 1
        if said not in truth.classes:
            mark = "" if said not in truth.also else " (allowed)"
            result.misses.append(
                f"{where}: {said}, not {sorted(truth.classes)}{mark}"
                f" <- {found.status} {list(found.reasons)}"
            )
    if truth.message_id:
        result.with_id += 1
        ids = [one.strip("<>") for one in found.original_ids]
        result.ids += ids[:1] == [truth.message_id]
        if ids[:1] != [truth.message_id]:
            result.misses.append(f"{where}: original {ids}, not {truth.message_id}")
    if "out_of_office" not in truth.classes and (truth.classes or truth.recipients):
        if found.kind in PEOPLE:
            result.taken_for_people += 1
            result.misses.append(f"{where}: taken for a person ({found.kind})")
        if said == "out_of_office":
            result.taken_for_absence += 1
            result.misses.append(f"{where}: taken for an absence {list(found.reasons)}")
    if truth.temporary is not None and truth.recipients:
        late = found.kind == "delayed" or found.class_ in ("transient", "mailbox_full")
        result.per_class["temporary" if truth.temporary else "permanent", f"{late}"] += 1


def fetch_flufl(into: Path) -> Path:
    """The unpacked source distribution of flufl.bounce, through pip."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-binary", ":all:", "--no-deps"]
    subprocess.run([*command, "-d", str(into), "flufl.bounce"], check=True, timeout=300)
    packed = next(into.glob("flufl*bounce-*.tar.gz"))
    with tarfile.open(packed) as archive:
        archive.extractall(into, filter="data")
    return next(path for path in into.iterdir() if path.is_dir())


def split(truths: list[Truth], part: str) -> list[Truth]:
    """Every third mail by name is held out: rules were written on the others alone."""
    ordered = sorted(truths, key=lambda truth: truth.file)
    held = part == "held"
    return [one for n, one in enumerate(ordered, 1) if part == "all" or (n % 3 == 0) == held]


def report(name: str, found: Score, *, misses: bool) -> None:
    """Print one run."""
    print(f"{name}: {found.mails} mails")
    for what, right, of in (
        ("recipients exact", found.recipients, found.named),
        ("coarse class", found.strict, found.classed),
        ("coarse class, doubtful words both ways", found.wide, found.classed),
        ("original Message-ID", found.ids, found.with_id),
    ):
        if of:
            print(f"  {what:40} {right:4} of {of:4}  {100 * right / of:5.1f} %")
    print(f"  exceptions: {found.exceptions}")
    print(f"  taken for a person's answer: {found.taken_for_people}")
    print(f"  taken for an absence: {found.taken_for_absence}")
    names = sorted({name for name, _ in found.per_class})
    for row in names:
        counts = {said: n for (of, said), n in sorted(found.per_class.items()) if of == row}
        print(f"  {row:14} {sum(counts.values()):4}  {counts}")
    for miss in found.misses if misses else ():
        print(f"    {miss}")


def main() -> None:
    form = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--flufl", action="store_true")
    parser.add_argument("--flufl-from", type=Path, help="the unpacked source distribution")
    parser.add_argument("--part", choices=("all", "dev", "held"), default="all")
    parser.add_argument("--misses", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    runs: dict[str, Score] = {}
    folders = asked.folders or ([] if asked.flufl or asked.flufl_from else [BOUNCES])
    for folder in folders:
        runs[folder.name] = score(split(labels.sisimai(folder), asked.part), folder)
    if asked.flufl or asked.flufl_from:
        with tempfile.TemporaryDirectory() as scratch:
            sdist = asked.flufl_from or fetch_flufl(Path(scratch))
            truths = split(labels.flufl(sdist), asked.part)
            runs["flufl.bounce"] = score(truths, sdist / "tests" / "data")
    for name, found in runs.items():
        if asked.json:
            counts = {k: v for k, v in vars(found).items() if isinstance(v, int)}
            print(json.dumps({"folder": name, **counts}))
        else:
            report(name, found, misses=asked.misses)


if __name__ == "__main__":
    main()
