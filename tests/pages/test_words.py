"""The words: the same keys and placeholders in every language, and none of them unused."""

import re
import string

import pytest

from orchestrator.pages.words import FOLDER, LANGUAGES, words_in


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_same_things(language: str) -> None:
    english, other = words_in("en").texts, words_in(language).texts
    assert other.keys() == english.keys()
    for key, text in other.items():
        assert text.strip(), key
        assert _placeholders(text) == _placeholders(english[key]), key


def test_no_words_are_left_over() -> None:
    sources = [path.read_text() for path in FOLDER.glob("*.html")]
    sources += [
        path.read_text() for path in (FOLDER.parents[1] / "orchestrator/pages").glob("*.py")
    ]
    everything = "\n".join(sources)
    # Keys that are put together: "standing." ~ state, "later." ~ preset, key + "_text" ...
    made = r"standing|error|locked|later\.(month|quarter|fault_)|times\.fault_|format"
    for key in words_in("en").texts:
        assert key in everything or re.match(made, key), key
