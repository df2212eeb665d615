"""What is true of the mails of a corpus: its labels, brought to the coarse classes that we score.

The labels of `corpora/bounces` use the 31 reasons of the engine that made them. A reason that says
why a server refused, and says it of our message rather than of the address, is `policy`; one that
says that the address is gone is `hard` (the engine's own `hardbounce` agrees on every mail); one
that a later attempt could mend is `transient`. `filtered` is that engine's word for "refused after
DATA, may be an unknown user": it is scored as `policy`, and `hard` is right too where the server
said that the user is unknown, as it did in most. The other doubtful words are listed in `EITHER`.
"""

import ast
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REASONS = {
    "hard": ("userunknown", "hostunknown", "hasmoved", "notaccept"),
    "mailbox_full": ("mailboxfull",),
    "policy": [
        "authfailure",
        "badreputation",
        "blocked",
        "contenterror",
        "filtered",
        "notcompliantrfc",
        "norelaying",
        "policyviolation",
        "rejected",
        "requireptr",
        "securityerror",
        "spamdetected",
        "virusdetected",
        "failedstarttls",
        "ratelimited",
    ],
    "transient": ("expired", "networkerror", "speeding", "toomanyconn", "systemfull"),
    "other": [
        "mailererror",
        "mesgtoobig",
        "emailtoolarge",
        "exceedlimit",
        "onhold",
        "suspend",
        "syntaxerror",
        "systemerror",
        "undefined",
        "delivered",
    ],
    "complaint": ("feedback",),
    "out_of_office": ("vacation",),
}
COARSE = {reason: name for name, reasons in REASONS.items() for reason in reasons}
# Words of the labels that two careful people would bring to different classes.
EITHER = {
    "filtered": {"policy", "hard"},
    "rejected": {"policy", "hard"},
    "exceedlimit": {"policy", "other"},
    "emailtoolarge": {"policy", "other"},
    "mesgtoobig": {"policy", "other"},
    "contenterror": {"policy", "other"},
    "onhold": {"policy", "other", "transient"},
    "suspend": {"hard", "other"},
    "syntaxerror": {"hard", "other"},
    "systemerror": {"transient", "other"},
    "speeding": {"transient", "policy"},
    "toomanyconn": {"transient", "policy"},
    "networkerror": {"transient", "other"},
    "badreputation": {"policy", "transient"},
}
KIND_OF = {"complaint": "complaint", "out_of_office": "auto_reply"}
NO_COMPLAINT = ("auth-failure", "not-spam")  # feedback that complains of nothing


@dataclass(frozen=True)
class Truth:
    """What is known of one mail. `classes`: right by the strict mapping; `also`: by the wide."""

    file: str
    recipients: frozenset[str] | None  # None: the labels do not say
    classes: frozenset[str]
    also: frozenset[str]
    message_id: str
    temporary: bool | None = None


def sisimai(folder: Path) -> list[Truth]:
    """The labels of a folder with `labels.jsonl`."""
    lines = (folder / "labels.jsonl").read_text().splitlines()
    return [_truth(json.loads(line)) for line in lines]


def _truth(label: dict[str, Any]) -> Truth:
    facts = label["facts"]
    reasons = [fact["reason"] for fact in facts]
    vacation = "vacation" in reasons
    classes = {_class(fact) for fact in facts}
    named = frozenset(fact.get("recipient", "").lower() for fact in facts) - {""}
    return Truth(
        file=label["file"],
        recipients=None if vacation or not facts else named,
        classes=frozenset(classes),
        also=frozenset(classes.union(*(EITHER.get(reason, ()) for reason in reasons))),
        message_id=next((fact.get("orig_message_id", "") for fact in facts), ""),
    )


def _class(fact: dict[str, Any]) -> str:
    if fact.get("feedbacktype") in NO_COMPLAINT:
        return "other"
    return COARSE.get(fact["reason"], "other")


def flufl(folder: Path) -> list[Truth]:
    """The expectations of flufl.bounce's own tests (its source distribution, unpacked)."""
    tree = ast.parse((folder / "tests" / "test_detectors.py").read_text())
    for node in tree.body:
        names = [one.id for one in getattr(node, "targets", []) if isinstance(one, ast.Name)]
        if names == ["DETECTORS"] and isinstance(node, ast.Assign):
            rows = ast.literal_eval(node.value)
            break
    else:
        raise ValueError(f"{folder}: its test table is not where it was")
    found: dict[str, Truth] = {}
    for _, file, addresses, temporary in rows:
        named = frozenset(one.decode().lower() for one in addresses)
        before = found.get(file)
        if before is not None and before.recipients:
            named |= before.recipients
        found[file] = Truth(file, named, frozenset(), frozenset(), "", temporary)
    return list(found.values())
