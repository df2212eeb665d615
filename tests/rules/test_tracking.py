"""Whether and how a message is followed."""

from typing import Any

import pytest

from orchestrator.rules.program import Tracking
from orchestrator.rules.tracking import Wanted, follow_links, wanted, with_pixel, with_trap

OWN = "https://avtale.example"
BOTH = {"opens": True, "clicks": True}


@pytest.mark.parametrize(
    ("tracking", "settings", "country", "expected"),
    [
        ({}, {}, "NO", Wanted(False, False)),
        (BOTH, {}, "NO", Wanted(True, True)),
        ({"opens": True}, {}, "NO", Wanted(True, False)),
        (BOTH, {"tracking": False}, "NO", Wanted(False, False)),
        (BOTH, {"tracking": True}, "NO", Wanted(True, True)),
        (BOTH | {"except_countries": ["de"]}, {}, "DE", Wanted(False, False)),
        (BOTH | {"except_countries": ["DE"]}, {}, "NO", Wanted(True, True)),
        (BOTH | {"except_countries": ["DE"]}, {}, None, Wanted(False, False)),
        (BOTH, {}, None, Wanted(True, True)),
    ],
)
def test_off_unless_wanted(
    tracking: dict[str, Any], settings: dict[str, Any], country: str | None, expected: Wanted
) -> None:
    assert wanted(Tracking.model_validate(tracking), settings, country) == expected


def follow(text: str, html: str) -> tuple[str, str, list[str]]:
    seen: list[str] = []

    def token_url(url: str) -> str:
        if url not in seen:
            seen.append(url)
        return f"{OWN}/c/{seen.index(url)}"

    return *follow_links(text, html, token_url, own=OWN), seen


def test_one_address_is_one_link_in_both_parts() -> None:
    text, html, seen = follow(
        "Se https://acme.example/a?b=1&c=2, takk.",
        '<a class="x" href="https://acme.example/a?b=1&amp;c=2">her</a>',
    )
    assert text == f"Se {OWN}/c/0, takk."
    assert html == f'<a class="x" href="{OWN}/c/0">her</a>'
    assert seen == ["https://acme.example/a?b=1&c=2"]


@pytest.mark.parametrize("path", ["/p/token", "/u/token", "", "?x=1"])
def test_our_own_links_are_never_followed(path: str) -> None:
    url = f"{OWN}{path}"
    text, html, seen = follow(f"Si nei: {url}", f"<a href='{url}'>nei</a>")
    assert (text, html, seen) == (f"Si nei: {url}", f"<a href='{url}'>nei</a>", [])


def test_a_host_that_looks_like_ours_is_not_ours() -> None:
    _, _, seen = follow(f"{OWN}.evil.example/p/x", "")
    assert seen == [f"{OWN}.evil.example/p/x"]


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "//evil.example", "mailto:a@b.example", "data:text/html,x",
            "https://a:b@evil.example/", "https://evil.example/\x01"],
)  # fmt: skip
def test_what_is_no_plain_web_address_is_left_alone(url: str) -> None:
    html = f'<a href="{url}">x</a>'
    assert follow("", html)[1:] == (html, [])


def test_the_pixel_comes_last() -> None:
    assert with_pixel("<p>Hei</p>", f"{OWN}/o/t.gif").startswith("<p>Hei</p>\n<img src=")


def test_nobody_meets_the_hidden_link() -> None:
    """No text, no place, not for a screen reader and not for the tab key, and nothing styled away:
    what spam filters look for is a text that is hidden."""
    made = with_trap("<p>Hei</p>", f"{OWN}/t/x?a=1&b=2")
    link = made.removeprefix("<p>Hei</p>").strip()
    assert link.startswith('<a href="https://avtale.example/t/x?a=1&amp;b=2"')
    assert link.endswith("></a>")
    assert 'aria-hidden="true"' in link
    assert 'tabindex="-1"' in link
    assert "style" not in link
