"""What the buttons and the footer say, in the prospect's language."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """`footer` takes {name}; `unsubscribe` is the text of a link."""

    more: str
    later: str
    never: str
    footer: str
    unsubscribe: str


_NB = Words(
    "Fortell meg mer",
    "Ikke nå",
    "Stopp",
    "Fra {name}. Trykk «Stopp», så hører du ikke mer fra oss.",
    "Eller meld deg av her",
)
_WORDS = {
    "nb": _NB,
    "no": _NB,
    "nn": _NB,
    "sv": Words(
        "Berätta mer",
        "Inte nu",
        "Stopp",
        "Från {name}. Tryck på ”Stopp”, så hör du inte mer från oss.",
        "Eller avsluta här",
    ),
    "da": Words(
        "Fortæl mig mere",
        "Ikke nu",
        "Stop",
        "Fra {name}. Tryk på »Stop«, så hører du ikke mere fra os.",
        "Eller afmeld her",
    ),
    "en": Words(
        "Tell me more",
        "Not now",
        "Stop",
        "From {name}. Press “Stop” and you will not hear from us again.",
        "Or unsubscribe here",
    ),
    "de": Words(
        "Mehr erfahren",
        "Jetzt nicht",
        "Stopp",
        "Von {name}. Drücken Sie „Stopp“, und Sie hören nichts mehr von uns.",
        "Oder hier abmelden",
    ),
}


def words(language: str) -> Words:
    """The words of `language` (`nb`, `nb-NO`, `DE`); English where we have none."""
    return _WORDS.get(language.replace("_", "-").partition("-")[0].lower(), _WORDS["en"])
