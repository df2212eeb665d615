"""HTML of mails: as text with its quotes marked, and cleaned for a browser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.mail.html import as_text, sanitised
from orchestrator.rules.mail.quotes import written

QUOTE = "<p>Hello Ola</p><p>Unsubscribe: https://a.example/u</p>"
HEAD = "<b>Fra:</b> Kari &lt;kari@sender.example&gt;<br><b>Sendt:</b> tirsdag<br><b>Til:</b> Ola"
BY_PROGRAM = {
    "gmail": f"""<div dir="ltr">Ja takk.</div><br><div class="gmail_quote"><div class="gmail_attr">
        On Tue, Nov 24, 2026 at 10:00 AM Kari wrote:<br></div>
        <blockquote class="gmail_quote">{QUOTE}</blockquote></div>""",
    "outlook on the web": f"""<div>Ja takk.</div><div id="appendonsend"></div><hr>
        <div id="divRplyFwdMsg">{HEAD}</div><div>{QUOTE}</div>""",
    "outlook on a desktop": f"""<div class=WordSection1><p class=MsoNormal>Ja takk.<o:p></o:p></p>
        <div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm'>
        <p class=MsoNormal>{HEAD}</p></div>{QUOTE}</div>""",
    "yahoo": f"""<div>Ja takk.</div><div class="yahoo_quoted">
        <div>On Tuesday, Kari said:</div><div>{QUOTE}</div></div>""",
    "apple": f"""Ja takk.<div><br><blockquote type="cite"><div>On 24 Nov 2026, Kari wrote:</div>
        {QUOTE}</blockquote></div>""",
    "thunderbird": f"""<p>Ja takk.</p><div class="moz-cite-prefix">Den 24.11.2026 10:00, skrev Kari:
        <br></div><blockquote type="cite" cite="mid:1">{QUOTE}</blockquote>""",
    "proton": f"""<div>Ja takk.</div><div class="protonmail_quote">-------- Original Message
        --------<br>On Tuesday, Kari wrote:<br>{QUOTE}</div>""",
}


@pytest.mark.parametrize("program", BY_PROGRAM)
def test_what_a_program_quotes_is_not_theirs(program: str) -> None:
    assert written(as_text(BY_PROGRAM[program])) == "Ja takk."


def test_answers_between_quotes_of_gmail_are_kept() -> None:
    html = f"""<div class="gmail_quote"><div class="gmail_attr">On 24 Nov 2026, Kari wrote:</div>
        <blockquote class="gmail_quote"><p>How many?</p></blockquote><div>Ten a day.</div>
        <blockquote class="gmail_quote">{QUOTE}</blockquote></div>"""
    assert written(as_text(html)) == "Ten a day."


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One<br>two</p><p>three</p>", "One\ntwo\n\nthree"),
        ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
        ("<ul><li>x<li>y</ul>", "- x\n- y"),
        ("<table><tr><td>a<td>b<tr><td>c</table>", "a b\nc"),
        ("a<span style='display:none'>preview</span> b", "a b"),
        ("<style>p{}</style><script>x</script>a", "a"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("Bl&aring;b&aelig;r &amp; fl&oslash;te", "Blåbær & fløte"),
        ("<blockquote style='margin:0 0 0 40px;border:none'>mine</blockquote>", "mine"),
        ("<p>Hi</p><div class='gmail_signature'>Ola</div>", "Hi\n\n-- \nOla"),
        ("<?xml version='1.0' encoding='utf-16'?><p>hi", "hi"),
        (" ", ""),
    ],
)
def test_html_as_text(html: str, text: str) -> None:
    assert as_text(html) == text


@given(html=st.text(alphabet=st.sampled_from("<>/=\"' abpdivblockquote&;\x00\ud800"), max_size=200))
def test_no_html_raises(html: str) -> None:
    as_text(html)
    sanitised(html)


def test_deep_and_wide_html_is_read_to_its_bounds() -> None:
    assert as_text("<div>" * 100_000 + "x") == ""
    assert as_text("<p>a" * 100_000).startswith("a\n\na")


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<p onclick=alert(1)>x</p>",
        "<a href='javascript:alert(1)'>x</a>",
        "<img src='https://t.example/o.gif'>",
        "<iframe src='https://t.example'></iframe>",
        "<form action='https://t.example'><input name=a></form>",
        "<p style='background:url(https://t.example)'>x</p>",
        "<style>@import 'https://t.example'</style>",
        "<link rel=stylesheet href='https://t.example'>",
        "<svg><image href='https://t.example'/></svg>",
        "<meta http-equiv=refresh content='0;url=https://t.example'>",
    ],
)
def test_nothing_runs_and_nothing_is_fetched(html: str) -> None:
    shown = sanitised(html).lower()
    assert "alert" not in shown
    assert "t.example" not in shown


def test_links_and_words_stay() -> None:
    shown = sanitised("<p style='color:red'>See <a href='https://a.example/'>this</a></p>")
    assert 'href="https://a.example/"' in shown
    assert 'rel="noopener noreferrer nofollow"' in shown
    assert "color:red" in shown
