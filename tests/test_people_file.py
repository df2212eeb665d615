"""Files as people export them, and files as nobody should."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.errors import BadInput
from orchestrator.people_file import PeopleFile
from orchestrator.rules.import_rows import PersonRow, Reject


def read(path: Path, content: bytes) -> tuple[list[PersonRow], list[Reject], list[str]]:
    path.write_bytes(content)
    rows: list[PersonRow] = []
    rejects: list[Reject] = []
    with PeopleFile(path, {}) as file:
        for batch in file.batches(size=3):
            rows += batch.rows()
            rejects += batch.rejects
        return rows, rejects, file.notices


@pytest.mark.parametrize(
    ("content", "noticed"),
    [
        ("email,Förnamn\nola@acme.no,Åse\n".encode(), False),
        ("\ufeffemail;Förnamn\r\nola@acme.no;Åse\r\n".encode(), False),
        ("email;Förnamn\r\nola@acme.no;Åse\r\n".encode("cp1252"), True),
        ("email\tFörnamn\r\nola@acme.no\tÅse\r\n".encode("utf-16"), False),
        ("sep=;\nemail;Förnamn\nola@acme.no;Åse".encode(), False),
        ('\n\n"email","Förnamn"\r"ola@acme.no","Åse"\r'.encode(), False),
    ],
)
def test_dialects(tmp_path: Path, content: bytes, noticed: bool) -> None:
    rows, rejects, notices = read(tmp_path / "f.csv", content)
    assert rejects == []
    assert [(row.identities[0][1], row.first_name) for row in rows] == [("ola@acme.no", "Åse")]
    assert bool(notices) == noticed


def test_line_numbers_and_a_quote_that_is_never_closed(tmp_path: Path) -> None:
    content = (
        'email,note\na@x.no,"two\nlines"\nb@x.no,"never closed\nc@x.no,fine\n'
        "d@x.no\ne@x.no,a\0b\nf@x.no,last\n"
    )
    rows, rejects, _ = read(tmp_path / "f.csv", content.encode())
    assert [(row.line, row.identities[0][1]) for row in rows] == [
        (2, "a@x.no"),
        (5, "c@x.no"),
        (8, "f@x.no"),
    ]
    assert rows[0].attributes == {"note": "two\nlines"}
    assert [reject.line for reject in rejects] == [4, 6, 7]


def test_a_line_without_end_is_one_reject(tmp_path: Path) -> None:
    content = b"email,note\na@x.no," + b"x" * 3_000_000 + b"\nb@x.no,y\n"
    rows, rejects, _ = read(tmp_path / "f.csv", content)
    assert [row.line for row in rows] == [3]
    assert len(rejects) == 1
    assert "longer" in rejects[0].why()


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b"name\nOla\n", b'email,"x\n'])
def test_files_without_a_header(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BadInput):
        read(tmp_path / "f.csv", content)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300) | st.text(alphabet='a@x.no,;"\r\n\0\tø', max_size=200))
def test_no_bytes_end_the_run(tmp_path: Path, content: bytes | str) -> None:
    tail = content if isinstance(content, bytes) else content.encode()
    rows, rejects, _ = read(
        tmp_path / "f.csv", b"email,first_name\n" + tail + b"\nlast@x.no,Last\n"
    )
    lines = [item.line for item in [*rows, *rejects]]
    assert len(lines) == len(set(lines))
