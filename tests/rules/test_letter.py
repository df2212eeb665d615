"""Text as HTML."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.letter import html_of_text, map_urls, split_urls


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("Se https://a.example/b.", "https://a.example/b"),
        ("(https://a.example/b)", "https://a.example/b"),
        ("https://a.example/b_(c)", "https://a.example/b_(c)"),
        ("«https://a.example/b»!", "https://a.example/b"),
        ("<https://a.example/b>", "https://a.example/b"),
        ("https://a.example/?a=1&b=2,", "https://a.example/?a=1&b=2"),
    ],
)
def test_the_sentence_keeps_its_punctuation(text: str, url: str) -> None:
    assert [piece for is_url, piece in split_urls(text) if is_url] == [url]


@given(st.text(alphabet=st.sampled_from("https://a.b&<>\"' \n(),"), max_size=80))
def test_nothing_is_lost_and_nothing_is_markup(text: str) -> None:
    assert "".join(piece for _, piece in split_urls(text)) == text
    assert map_urls(text, lambda url: url) == text
    html = html_of_text(text)
    for tag in ("<p>", "</p>", "<br>", "</a>"):
        html = html.replace(tag, "")
    assert html.count("<") == html.count('<a href="')
