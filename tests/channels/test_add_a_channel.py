"""A new channel is a folder and one line: it is added to a copy of the tree as the docs say."""

import os
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = Path(__file__).parent / "sms_example"
COPIED = ("channels", "orchestrator", "migrations", "templates", "tests", "pyproject.toml")
LINE = re.compile(r'^    "sms": Entry\(.*\),$', re.MULTILINE)


def _hashes(tree: Path) -> dict[str, str]:
    return {
        str(path.relative_to(tree)): sha256(path.read_bytes()).hexdigest()
        for path in tree.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def _copy(tree: Path) -> None:
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyc", "fixtures", "corpus")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=unwanted)
        else:
            shutil.copy2(ROOT / name, tree / name)


def _add(tree: Path) -> None:
    """What docs/how-to/add-a-channel.md says, and no more."""
    shutil.copytree(EXAMPLE / "channels" / "sms", tree / "channels" / "sms")
    shutil.copytree(EXAMPLE / "tests", tree / "tests" / "channels" / "sms")
    (line,) = LINE.findall((ROOT / "docs" / "how-to" / "add-a-channel.md").read_text("utf-8"))
    registry = tree / "channels" / "registry.py"
    before = registry.read_text("utf-8")
    after = re.sub(r"(CHANNELS: dict\[str, Entry\] = \{\n)", rf"\1{line}\n", before)
    assert len(after.splitlines()) == len(before.splitlines()) + 1
    registry.write_text(after, "utf-8")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with the channel added."""
    made = tmp_path_factory.mktemp("added") / "avtale"
    made.mkdir()
    _copy(made)
    before = _hashes(made)
    _add(made)
    after = _hashes(made)
    changed = {name for name, one in before.items() if after.get(name) != one}
    assert changed == {"channels/registry.py"}
    added = set(after) - set(before)
    assert all(name.startswith(("channels/sms/", "tests/channels/sms/")) for name in added)
    return made


def _run(tree: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name[:6] != "PYTEST"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env=environment | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def test_it_keeps_the_contract(tree: Path) -> None:
    where = _run(tree, "-c", "import channels, orchestrator; print(channels.__file__)")
    assert where.startswith(str(tree))
    said = _run(
        *(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
        *("tests/channels/test_contract.py", "-k", "sms or no_channel_goes_without"),
    )
    assert re.search(r"1[5-9] passed|[2-9][0-9] passed", said), said


def test_a_sequence_over_it_sends_and_its_answer_comes_back(tree: Path) -> None:
    said = _run(
        *(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/channels/sms/end_to_end.py")
    )
    assert "1 passed" in said


def test_without_its_bench_the_contract_test_fails(tree: Path) -> None:
    bench = tree / "tests" / "channels" / "sms" / "bench.py"
    bench.rename(bench.with_suffix(".away"))
    try:
        with pytest.raises(AssertionError, match="test_no_channel_goes_without"):
            _run(
                *(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
                *("tests/channels/test_contract.py", "-k", "no_channel_goes_without"),
            )
    finally:
        bench.with_suffix(".away").rename(bench)
