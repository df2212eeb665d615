"""`avtale meaning`, run as a person runs it."""

import json
import subprocess
import sys
from pathlib import Path

OWN = "[fi]\nstop = ['\\blopettakaa\\b']\n"


def avtale(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    """The command, with what it wrote."""
    return subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", "meaning", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_try_tells_the_meaning_and_the_rule() -> None:
    told = json.loads(avtale("try", "Wrong person, contact Anna Berg").stdout)
    assert (told["meaning"], told["whom"]) == ("wrong_person", ["Anna Berg"])
    assert told["reasons"]


def test_an_own_file_is_checked_and_tried(tmp_path: Path) -> None:
    file = tmp_path / "words.toml"
    file.write_text(OWN)
    checked = avtale("check", file)
    assert (checked.returncode, "fi" in checked.stdout) == (0, True)
    told = json.loads(avtale("try", "--file", file, "Lopettakaa").stdout)
    assert (told["meaning"], told["reasons"]) == ("stop", ["fi stop 1"])


def test_a_fault_names_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "words.toml"
    file.write_text("[fi]\nstop = [\n '(x',\n]\n")
    done = avtale("check", file)
    assert done.returncode == 2
    assert f"{file}, line 3" in done.stderr.replace("\n", " ")


def test_a_pattern_that_can_never_fit_is_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "words.toml"
    file.write_text("[en]\nno = ['\\SNot this']\n")
    done = avtale("check", file)
    assert done.returncode == 2
    assert "capital letter" in done.stderr
    file.write_text("[en]\nno = ['\\Snot \\W this(?P<Name>x)']\n")
    assert avtale("check", file).returncode == 0
