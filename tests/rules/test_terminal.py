"""What strangers write does nothing on a terminal."""

import io
import json

from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from orchestrator.commands import common
from orchestrator.rules.terminal import harmless, harmless_json

ACTING = "\x1b]0;title\x07 \x1b[2J \x9b31m \x7f \u202eback \u2066x \x85 \r over"


def test_what_acts_is_shown_and_not_done() -> None:
    shown = harmless(ACTING + "\tkept\nkept\r\nkept æøå 日本 👍")
    assert not set(shown) & set("\x1b\x07\x9b\x7f\u202e\u2066\x85\r")
    assert shown.endswith("\tkept\nkept\nkept æøå 日本 👍")


@given(st.text(st.characters(), max_size=60))
def test_json_says_the_same_on_one_line_for_every_program(text: str) -> None:
    line = harmless_json(json.dumps({"text": text}, ensure_ascii=False))
    assert json.loads(line) == {"text": text}
    assert len(line.splitlines()) == 1
    assert harmless(line) == line


def test_the_console_formats_and_strangers_do_not() -> None:
    written = io.StringIO()
    screen = type(common.out)(file=written, force_terminal=True, width=200)
    table = Table("subject")
    table.add_row(Text(ACTING))
    screen.print(Text(ACTING, style="bold"), table)
    told = written.getvalue()
    assert "\x1b[1m" in told  # its own
    assert not set(told) & set("\x07\x9b\x7f\u202e\u2066\x85\r")
    assert "\x1b]" not in told
    assert "\x1b[2J" not in told
