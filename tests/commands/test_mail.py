"""`avtale mail read`, run as a person runs it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.rules.test_mail_reading import feedback, mail, report


def read(*words: str | Path, stdin: bytes = b"", code: int = 0) -> list[dict[str, Any]]:
    """The lines that the command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", "mail", "read", *map(str, words)],
        input=stdin,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == code, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def test_a_bounce_tells_whom_and_which_message(tmp_path: Path) -> None:
    file = tmp_path / "bounce.eml"
    file.write_bytes(report("failed", "5.1.1"))
    (told,) = read(file)
    assert told["file"] == str(file)
    assert (told["kind"], told["class"], told["hard"]) == ("bounce", "hard", True)
    assert told["recipients"] == ["ola@acme.example"]
    assert told["message_id"] == "first@sender.example"
    assert told["reasons"]


def test_an_answer_tells_what_was_written_meant_and_answered() -> None:
    (told,) = read("-", stdin=mail("Ja, gjerne!"))
    assert (told["kind"], told["class"], told["meaning"]) == ("reply", None, "interested")
    assert told["text"] == "Ja, gjerne!"
    assert told["message_id"] == "first@sender.example"
    assert told["own_message_id"] == "answer@acme.example"


def test_an_absence_tells_until_when() -> None:
    raw = mail(
        "I am out of the office until 7 December.",
        Auto_Submitted="auto-replied",
        Date="Mon, 23 Nov 2026 10:00:00 +0100",
    )
    (told,) = read("-", stdin=raw)
    assert (told["kind"], told["class"]) == ("auto_reply", "out_of_office")
    assert told["until"] in ("2026-12-07", "2026-12-08")


def test_our_own_addresses_can_be_named() -> None:
    (told,) = read("-", "--own", "ola@acme.example", stdin=mail())
    assert told["kind"] == "own"


def test_directories_and_mailboxes_are_read_mail_by_mail(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.eml").write_bytes(mail())
    line = b"From somebody Mon Nov 23 10:00:00 2026\n"
    quoted = mail("Ja takk\n>From here on.")
    (tmp_path / "b.mbox").write_bytes(line + quoted + b"\n" + line + feedback("abuse", "x@y"))
    told = read(tmp_path)
    assert [one["kind"] for one in told] == ["reply", "reply", "complaint"]
    assert [Path(one["file"]).name for one in told] == ["one.eml", "b.mbox#1", "b.mbox#2"]


def test_what_cannot_be_read_is_a_line_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_bytes(mail())
    told = read(tmp_path / "none.eml", tmp_path / "one.eml", code=1)
    assert told[0]["error"] == "No such file or directory"
    assert told[1]["kind"] == "reply"


def test_any_bytes_are_some_mail() -> None:
    (told,) = read("-", stdin=bytes(range(256)) * 20)
    assert told["kind"] in ("unknown", "reply")
    assert read("-", stdin=b"")[0]["kind"] == "unknown"


def test_the_html_of_a_mail_is_written_without_anything_that_acts(tmp_path: Path) -> None:
    file = tmp_path / "answer.eml"
    file.write_text("Content-Type: text/html\n\n<p>Ja</p><script>x()</script><img src=//t.example>")
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", "mail", "html", str(file)],
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, b"<p>Ja</p>\n")


def test_a_mail_without_html_says_so_and_a_missing_one_is_named(tmp_path: Path) -> None:
    file = tmp_path / "plain.eml"
    file.write_text("Content-Type: text/plain\n\nJa")
    for name, code, told in ((file, 0, b"no HTML"), (tmp_path / "gone.eml", 2, b"gone.eml")):
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator.cli", "mail", "html", str(name)],
            capture_output=True,
            timeout=60,
        )
        assert (done.returncode, done.stdout) == (code, b"")
        assert told in done.stderr


def test_a_hostile_mail_and_its_name_do_nothing_to_the_terminal(tmp_path: Path) -> None:
    file = tmp_path.joinpath("\udcff\x1b[2J.eml")
    file.write_bytes(mail("Hi \u2028 there \x85 \x1b[2J", Subject="=?utf-8?q?=1B]0;x=07=C2=9B2J?="))
    words = [sys.executable, "-m", "orchestrator.cli", "mail", "read", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    (told,) = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert told["subject"] == "\x1b]0;x\x07\x9b2J"
    assert not set(done.stdout.decode()) & set("\x1b\x07\x9b\x85\u2028")
