"""The checks that guard what is committed, and what CI may skip."""

import sys
from pathlib import Path

import pytest

from orchestrator.dev import check_skips, check_tree

REGISTRY = "https://" + "py" + "pi.org/simple"


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.py", "x = '/ho" + "me/kari/avtale'", "a.py:1: a path of one machine"),
        ("a.md", f"one\n{REGISTRY}", "a.md:2: the address of a registry"),
        ("x.lock", "--index" + "-url somewhere", "x.lock:1: the address of a registry"),
        ("a.env", "S=whs" + "ec_" + "A" * 44, "a.env:1: a secret"),
        (
            "uv" + ".lock",
            "",
            "uv.lock: a second lock file; requirements/ and frontend/ have the pins",
        ),
    ],
)
def test_what_must_not_be_committed(name: str, text: str, found: str) -> None:
    assert list(check_tree.faults(Path(name), text)) == [found]


@pytest.mark.parametrize("text", ["/home/", "see https://example.com/home/x", "whsec_short", "~/x"])
def test_what_may(text: str) -> None:
    assert list(check_tree.faults(Path("a.md"), text)) == []


@pytest.mark.parametrize(
    ("inside", "code"),
    [
        ("", 0),
        ("<skipped type='pytest.skip' message='no dovecot'/>", 1),
        ("<skipped type='pytest.xfail' message='known'/>", 0),
    ],
)
def test_a_skipped_test_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str, code: int
) -> None:
    report = tmp_path / "tests.xml"
    report.write_text(
        f"<testsuites><testcase classname='a' name='b'>{inside}</testcase></testsuites>"
    )
    monkeypatch.setattr(sys, "argv", ["check_skips", str(report)])
    assert check_skips.main() == code
