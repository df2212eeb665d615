"""The footer of each message: who writes, why, and how to say no. Pure.

Three short lines under a person's own words. The reason is a person's too: `about` of the sequence
is used where it is written as one ("because you keep the books of others"), in the language of the
message; any other `about` is a note among colleagues and is not shown.
"""

from dataclasses import dataclass
from functools import lru_cache
from html import escape

_FALLBACK = "en"
_PLACE = "\0"  # of an address, in a form


@dataclass(frozen=True, slots=True)
class _Words:
    because: str  # with which a reason starts
    why: str  # {reason} starts with `because`
    general: str  # with the company
    general_alone: str
    no: str  # {page}, {stop}: the two links
    page: str
    stop: str


_WORDS = {
    "nb": _Words(
        "fordi",
        "Jeg skriver til deg {reason}.",
        "Jeg skriver til deg fordi jeg tror dette angår jobben du gjør i {company}.",
        "Jeg skriver til deg fordi jeg tror dette angår jobben din.",
        "Passer det ikke? {page} eller {stop}.",
        "Svar med ett trykk",
        "meld deg av",
    ),
    "sv": _Words(
        "eftersom",
        "Jag skriver till dig {reason}.",
        "Jag skriver till dig eftersom jag tror att det här rör ditt arbete på {company}.",
        "Jag skriver till dig eftersom jag tror att det här rör ditt arbete.",
        "Passar det inte? {page} eller {stop}.",
        "Svara med ett tryck",
        "avregistrera dig",
    ),
    "da": _Words(
        "fordi",
        "Jeg skriver til dig {reason}.",
        "Jeg skriver til dig, fordi jeg tror, det her vedrører dit arbejde hos {company}.",
        "Jeg skriver til dig, fordi jeg tror, det her vedrører dit arbejde.",
        "Passer det ikke? {page} eller {stop}.",
        "Svar med ét tryk",
        "afmeld dig",
    ),
    "en": _Words(
        "because",
        "I write to you {reason}.",
        "I write to you because I think this concerns your work at {company}.",
        "I write to you because I think this concerns your work.",
        "Not for you? {page} or {stop}.",
        "Say so in one tap",
        "unsubscribe",
    ),
    "de": _Words(
        "weil",
        "Ich schreibe Ihnen, {reason}.",
        "Ich schreibe Ihnen, weil ich glaube, dass es Ihre Arbeit bei {company} betrifft.",
        "Ich schreibe Ihnen, weil ich glaube, dass es Ihre Arbeit betrifft.",
        "Passt es nicht? {page} oder {stop}.",
        "Antworten Sie mit einem Tipp",
        "melden Sie sich ab",
    ),
}
_ALIKE = {"no": "nb", "nn": "nb"}


@dataclass(frozen=True, slots=True)
class Footer:
    """The footer in both forms, without the body that it follows."""

    text: str
    html: str
    brief: str  # for a chat: one line, one link, and from there every no


@dataclass(frozen=True, slots=True)
class _Form:
    """The footer of one sender in one language, with places for what differs from one person to
    the next."""

    words: _Words
    who: str
    who_html: str
    before_page: str  # in text
    before_stop: str
    html: tuple[str, str, str]  # around the two addresses


@lru_cache(maxsize=512)
def _form(language: str, sender_name: str, organisation: str, postal_address: str) -> _Form:
    """Made once: it is most of a footer, and the same in every message of a sender."""
    code = language.replace("_", "-").split("-")[0].lower()
    words = _WORDS.get(_ALIKE.get(code, code), _WORDS[_FALLBACK])
    who = ", ".join(part for part in (sender_name, organisation, postal_address) if part)
    question = words.no.partition(" {page}")[0]
    links = words.no.format(page=_link(_PLACE, words.page), stop=_link(_PLACE, words.stop))
    before, between, after = links.split(_PLACE)
    return _Form(
        words,
        who,
        escape(who),
        f"{question} {words.page}: ",
        f"{words.stop[0].upper()}{words.stop[1:]}: ",
        (before, between, after),
    )


def footer(
    language: str,
    *,
    sender_name: str,
    organisation: str,
    postal_address: str,
    company: str | None,
    about: str,
    answered: bool = False,
    page_url: str,
    unsubscribe_url: str,
) -> Footer:
    """The footer of a message to one prospect, in `language` or else in English."""
    form = _form(language, sender_name, organisation, postal_address)
    brief = form.before_page + page_url
    in_text = f"{brief}\n{form.before_stop}{unsubscribe_url}"
    before, between, after = form.html
    in_html = f"{before}{escape(page_url)}{between}{escape(unsubscribe_url)}{after}"
    why = why_html = ""
    if not answered:  # whoever answered knows why
        said = _why(form.words, about, company)
        why, why_html = f"{said}\n", f"{escape(said)}<br>\n"
    return Footer(
        text=f"-- \n{form.who}\n{why}{in_text}",
        html='<p style="font-size:smaller;color:#666">'
        f"{form.who_html}<br>\n{why_html}{in_html}</p>",
        brief=brief,
    )


def _why(words: _Words, about: str, company: str | None) -> str:
    reason = " ".join(about.split()).rstrip(".")
    if reason.lower().startswith(words.because + " "):
        return words.why.format(reason=reason[0].lower() + reason[1:])
    if company:
        return words.general.format(company=company)
    return words.general_alone


def _link(url: str, shown: str) -> str:
    return f'<a href="{escape(url)}" style="color:#666">{escape(shown)}</a>'
