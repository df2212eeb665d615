"""What the person wrote, on mails that nobody on this project wrote."""

import pytest

from tests.corpus.replies import CORPUS, score, scores

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not CORPUS.exists(), reason="../shared/corpora is not here"),
]


def test_no_reply_of_the_corpus_leaks_a_quote_or_loses_a_word() -> None:
    found = scores()
    assert len(found) >= 28
    assert {one.name: one.leaked for one in found if one.leaked} == {}
    assert {one.name: one.lost for one in found if one.lost} == {}


def test_the_score_sees_a_leak_and_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """A score that cannot fail says nothing."""
    monkeypatch.setattr("tests.corpus.replies.written", lambda text: text)
    assert score("email_headers_3.txt").leaked
    monkeypatch.setattr("tests.corpus.replies.written", lambda text: "")
    assert score("email_headers_3.txt").lost
