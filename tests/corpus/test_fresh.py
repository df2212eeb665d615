"""The fresh mails: what no mail may be taken for, and that no rule makes the figures worse."""

import pytest

from orchestrator.rules.mail.refusals import classify
from tests.corpus import fresh, fresh_replies, said

FILES = sorted(path.stem for path in fresh.FOLDER.glob("*.txt"))
# Of a hundred: kind right, verdict right (doubtful both ways), recipients exact; as measured.
AT_LEAST = {
    "automatic": (97, 97, 100),
    "people": (78, 78, 0),
    "prose": (100, 98, 100),
    "standard": (100, 98, 100),
    "unseen": (98, 96, 96),
    "unseen_fourth": (100, 98, 100),
    "unseen_second": (97, 95, 100),
    "unseen_third": (95, 95, 100),
}


@pytest.mark.parametrize("name", FILES)
def test_no_fresh_mail_is_taken_for_what_would_do_harm(name: str) -> None:
    found = fresh.score(fresh.load(name))
    assert found.confused == {}, found.misses


@pytest.mark.parametrize("name", FILES)
def test_the_figures_of_the_fresh_mails_hold(name: str) -> None:
    found = fresh.score(fresh.load(name))
    kind, verdict, recipients = AT_LEAST[name]
    assert 100 * found.kinds >= kind * found.mails, found.misses
    assert 100 * found.wide >= verdict * found.mails, found.misses
    assert 100 * found.recipients >= recipients * found.named, found.misses


@pytest.mark.parametrize("knowing", [True, False])
def test_fresh_answers_neither_leak_nor_lose(knowing: bool) -> None:
    assert fresh_replies.score(knowing=knowing) == ([], [])


def test_the_classes_of_refusals_hold() -> None:
    wrong = [
        (line, found) for line in said.load() if (found := classify(*line[1:])[0]) not in line[0]
    ]
    assert len(wrong) <= 1, wrong
