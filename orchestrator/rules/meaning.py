"""What an answer means, by words kept as data. Whatever is not plain is left to a person."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Literal, Protocol

from orchestrator.rules import opt_out
from orchestrator.rules.dates import find_date
from orchestrator.rules.mail.parts import ADDRESS
from orchestrator.rules.meaning_words import Language, Words, shipped
from orchestrator.rules.patterns import lazy

Meaning = Literal["interested", "stop", "no", "not_now", "wrong_person", "question", "unclear"]

_LIMIT = 3000  # characters: who writes more is not giving a short answer
_END = re.compile(r"[.!?\n;]")  # of a sentence
_MANY = 200  # words: rules this small do not understand a long letter
_NAME = lazy(
    r"(?i:\b(?:contact|ask|(?:talk|speak|write|reach out|turn)(?: to| with)?|try|e-?mail|"
    r"(?:ta )?kontakte?(?: med)?|(?:snakk|prat|tal)e? med|spør|spørg|skriv til|hør med|"
    r"henvend (?:deg|dere|dig|jer) til|kontakta|prata med|fråga|tala med|vänd (?:dig|er) till|"
    r"snak med|wenden sie sich (?:bitte |gerne )?an|(?:sprechen|reden) sie (?:bitte )?mit|"
    r"fragen sie|kontaktieren sie|zuständig (?:ist|dafür ist)|ansprechpartner(?:in)? ist|"
    r"(?:person|ansvarlig|ansvarig) (?:is|er|är)|colleague|kollega|kollege|kollegin)"
    r",? (?:(?:my|our|min|vår|vores|mein|meine|meinen|meiner|unsere|unseren|unserem|frau|herrn?|"
    r"bitte|gerne|gjerne|gärna|heller|hellere|med|colleague|kollega|kollege|kollegen|kollegin|boss|"
    r"sjef|daglig leder|chef|instead|please),? ){0,4})"
    r"(?P<name>[A-ZÆØÅÄÖÜ][\w'-]+(?: (?:von |van |de )?[A-ZÆØÅÄÖÜ][\w'-]+){0,3})"
)
_NAMED = lazy(
    r"(?P<name>[A-ZÆØÅÄÖÜ][\w'-]+(?: [A-ZÆØÅÄÖÜ][\w'-]+){0,3})"
    r"(?i: (?:is|er|är|ist) (?:the right|responsible|in charge|the one|rett|riktig|ansvarlig|"
    r"ansvarig|den rette|rätt|zuständig|verantwortlich|der richtige|die richtige)"
    r"|,? (?:who|som) (?:handles|håndterer|hanterar|jobber med|arbetar med|has))"
)
_NO_NAMES = {
    "I",
    "You",
    "We",
    "She",
    "He",
    "Jeg",
    "Du",
    "Vi",
    "Han",
    "Hun",
    "Jag",
    "Hon",
    "Sie",
    "Er",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A meaning; the date of a `not_now` when it is plainly stated; of a `wrong_person` the names
    and addresses to ask instead; of a `question` what they ask; and which rules said so."""

    meaning: Meaning
    until: date | None = None
    reasons: tuple[str, ...] = ()
    whom: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()


class Reader(Protocol):
    """Whatever reads answers: the words below, or a model that somebody plugs in with `use`."""

    def read(self, text: str, *, today: date) -> Verdict:
        """The meaning of the person's own words; `unclear` whenever it is not sure."""
        ...


class WordReader:
    """Reads answers by patterns, in any of nb, nn, sv, da, en and de, and what an operator adds."""

    def __init__(self, words: Words) -> None:
        self.words = words

    def read(self, text: str, *, today: date) -> Verdict:
        """See Reader. Two meanings in one answer, none, or a long letter are `unclear`."""
        folded = _fold(text)
        if not folded:
            return Verdict("unclear", reasons=("nothing written",))
        if stopped := opt_out.signs(text, self.words.stops):
            return Verdict("stop", reasons=stopped)
        if len(folded.split()) > _MANY or len(text) > _LIMIT:
            return Verdict("unclear", reasons=("a long letter",))
        if others := self._hits(folded, "wrong_person"):
            return Verdict("wrong_person", reasons=others, whom=_whom(text))
        refused = self._hits(folded, "no")
        rest = self._without(folded, "no")
        later = self._hits(rest, "not_now")
        rest = self._without(rest, "not_now")
        keen = self._keen(rest)
        reasons = (*refused, *later, *keen)
        if refused:
            # "No thanks, perhaps next year" and "yes, but it is not for us" are for a person.
            agreed = any(one.assent.search(folded) for one in self.words.languages)
            plain = not later and not keen and not agreed
            return Verdict("no" if plain else "unclear", reasons=reasons)
        if (later or keen) and opt_out.hints(text):
            return Verdict("unclear", reasons=(*reasons, "words of a wish to stop"))
        if later:
            return Verdict("not_now", find_date(folded, today), reasons)
        if keen:
            return Verdict("interested", reasons=reasons)
        if asks := _questions(text):
            return Verdict("question", reasons=("ends in a question mark",), asks=asks)
        return Verdict("unclear", reasons=("no rule fits",))

    def stops(self, text: str) -> tuple[str, ...]:
        """The rules that say stop."""
        return opt_out.signs(text, self.words.stops)

    def doubts(self, text: str) -> bool:
        """Whether anything speaks against interest that would otherwise be plain."""
        folded = _fold(text)
        said = any(one.doubt.search(folded) for one in self.words.languages)
        return said or opt_out.hints(text)

    def _hits(self, text: str, meaning: str) -> tuple[str, ...]:
        return tuple(
            f"{one.name} {meaning} {number}"
            for one in self.words.languages
            for number, pattern in enumerate(one.by_meaning[meaning], 1)
            if pattern.search(text)
        )

    def _without(self, text: str, meaning: str) -> str:
        for one in self.words.languages:
            for pattern in one.by_meaning[meaning]:
                text = pattern.sub(" ~ ", text)
        return text

    def _keen(self, text: str) -> tuple[str, ...]:
        """Rules of interest that hold where no word of the same sentence denies or conditions them,
        in a text that gives no reason to doubt it: what earns a call has to be plain (L1)."""
        if any(one.doubt.search(text) for one in self.words.languages):
            return ()
        found = []
        for one in self.words.languages:
            for number, pattern in enumerate(one.by_meaning["interested"], 1):
                if any(not self._denied(text, match, one) for match in pattern.finditer(text)):
                    found.append(f"{one.name} interested {number}")
        return tuple(found)

    def _denied(self, text: str, match: re.Match[str], language: Language) -> bool:
        """Before the match a denial of any language counts, behind it one of its own: the Swedish
        word for `if` means `about` elsewhere, and follows interest all the time."""
        before = _END.split(text[: match.start()])[-1][-40:]
        behind = _END.split(text[match.end() :])[0][:40]
        return bool(language.negation.search(behind)) or any(
            other.negation.search(before) for other in self.words.languages
        )


_PREFIX = re.compile(
    r"(?i)\s*(?:\[[^\]]{0,40}\]\s*)*"
    r"(?:re|sv|svar|aw|antw|vs|r|odp|ref|fw|fwd|vb|wg|tr|rv|vl|i)(?:\[\d+\])?\s*:"
)


class _Chosen:
    """What this process reads answers with; chosen once, when it starts."""

    own: WordReader | None = None
    model: Reader | None = None


@lru_cache(maxsize=1)
def _shipped() -> WordReader:
    """Made when the first answer is read: a start of a process does not wait for its patterns."""
    return WordReader(shipped())


def _words() -> WordReader:
    return _Chosen.own or _shipped()


def use(*, words: Words | None = None, model: Reader | None = None) -> None:
    """Choose the words and, beside them, a model. Called where the process is wired, before it
    reads anything; without arguments it is as shipped."""
    _Chosen.own = WordReader(words) if words else None
    _Chosen.model = model


def read(text: str, *, today: date) -> Verdict:
    """The meaning of what somebody wrote. `text` is theirs alone, without quotes (`mail_reading`);
    `today` is their date, for "next month".

    `stop` wins always, and the words decide on it, whatever a model thinks; nor does a model make
    interest of what gives the words reason to doubt.
    """
    words, model = _words(), _Chosen.model
    if model is None:
        return words.read(text, today=today)
    if stopped := words.stops(text):
        return Verdict("stop", reasons=stopped)
    verdict = model.read(text, today=today)
    if verdict.meaning == "interested" and words.doubts(text):
        return Verdict("unclear", reasons=(*verdict.reasons, "the words leave a doubt"))
    return verdict


def stop_in_subject(subject: str, sent: Iterable[str] = ()) -> tuple[str, ...]:
    """The rules that say stop of a subject which the person wrote: not `Re: ...`, and none of the
    subjects that we `sent`. Some write nothing else."""
    ours = {_fold(one) for one in sent}
    if _PREFIX.match(subject) or _fold(subject) in ours:
        return ()
    return tuple(f"{one} (subject)" for one in _words().stops(subject))


def _fold(text: str) -> str:
    lines = (" ".join(line.split()) for line in text[:_LIMIT].casefold().splitlines())
    return "\n".join(line for line in lines if line).replace("\u2019", "'")


def _whom(text: str) -> tuple[str, ...]:
    """The names and addresses that a text gives, in order, each once."""
    text = " ".join(text[:_LIMIT].split())
    named = [hit["name"] for pattern in (_NAME, _NAMED) for hit in pattern.finditer(text)]
    found = [one for one in named if one.split()[0] not in _NO_NAMES]
    found += [hit[0].rstrip(".").lower() for hit in ADDRESS.finditer(text)]
    return tuple(dict.fromkeys(found))


def _questions(text: str) -> tuple[str, ...]:
    """The sentences that end in a question mark."""
    flat = " ".join(text[:_LIMIT].split())
    return tuple(hit[0].strip()[:300] for hit in re.finditer(r"[^.!?]*[^.!?\s][^.!?]*\?+", flat))[
        :5
    ]
