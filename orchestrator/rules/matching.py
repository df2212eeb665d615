"""Whose mail is this. Pure: what was looked up goes in, a match comes out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from orchestrator.rules.mail_reading import Reading
from orchestrator.rules.writers import Owner, Writer, who_wrote

_REPORTS = frozenset({"bounce", "delayed", "complaint"})


@dataclass(frozen=True, slots=True)
class Ref:
    """One of our messages."""

    message_id: UUID
    prospect_id: UUID
    enrollment_id: UUID
    identity_id: UUID | None
    to_host: bool = False  # a copy that one of ours got: whoever answers it is not the prospect


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever has an address; `last` is the last message that the receiving sender wrote them."""

    prospect_id: UUID
    identity_id: UUID
    last: Ref | None


@dataclass(frozen=True, slots=True)
class Known:
    """What the store found for one reading."""

    by_rfc_id: Mapping[str, Ref] = field(default_factory=dict)
    by_token: Mapping[str, Ref] = field(default_factory=dict)
    by_address: Mapping[str, Person] = field(default_factory=dict)
    owners: Mapping[UUID, Owner] = field(default_factory=dict)  # of the messages above


@dataclass(frozen=True, slots=True)
class Match:
    """Whose it is, which message it is about, and how that was found. `writer`: who answered in
    this person's thread. `beside`: the message of somebody else whose thread it was written in."""

    prospect_id: UUID
    how: str
    message_id: UUID | None = None
    enrollment_id: UUID | None = None
    identity_id: UUID | None = None
    writer: Writer = "theirs"
    beside: Ref | None = None


def match(reading: Reading, known: Known) -> Match | None:
    """By our Message-ID, then by an address token, then by who wrote to the sender. None: nobody.

    An answer in somebody's thread by another prospect is that prospect's: people are not merged
    because they share a thread (B16). Who is no prospect answers in the thread's name when it is
    the person by another address; a colleague or a stranger is told apart from them.
    """
    about = _about(reading, known)
    if reading.kind in _REPORTS:
        reported = _reported(reading, known)
        if about is not None and not _of_another(about, reported, reading):
            return about
        return reported
    writer = known.by_address.get(reading.sender or "")
    if writer is None:
        return about and _by_unknown(about, reading, known)
    if about is None:
        # Whom we never wrote to from here answers nothing of ours.
        return None if writer.last is None else _of(writer.last, "sender")
    if about.prospect_id == writer.prospect_id:
        return about
    beside = _ref(about, known)
    if writer.last is not None:
        return replace(_of(writer.last, "sender"), beside=beside)
    how = "thread of somebody else"
    return Match(writer.prospect_id, how, identity_id=writer.identity_id, beside=beside)


def _by_unknown(about: Match, reading: Reading, known: Known) -> Match:
    """An answer in somebody's thread from an address that no prospect has."""
    owner = known.owners.get(about.prospect_id, Owner())
    writer, told = who_wrote(reading.sender, reading.sender_name, owner)
    return replace(about, how=f"{about.how}; {told}", writer=writer)


def _ref(about: Match, known: Known) -> Ref | None:
    found = (*known.by_rfc_id.values(), *known.by_token.values())
    return next((ref for ref in found if ref.message_id == about.message_id), None)


def is_own(reading: Reading, known: Known) -> bool:
    """Whether this is a message of ours that came back: its own Message-ID is one we made. What a
    prospect wrote is theirs, whatever it calls itself."""
    return (
        reading.kind not in _REPORTS
        and reading.message_id is not None
        and reading.message_id in known.by_rfc_id
        and (reading.sender or "") not in known.by_address
    )


def rfc_ids(reading: Reading) -> tuple[str, ...]:
    """Every Message-ID worth looking up for this reading."""
    own = (reading.message_id,) if reading.message_id else ()
    return tuple(dict.fromkeys([*_threads(reading), *own]))[:500]


def _threads(reading: Reading) -> Iterable[str]:
    """Nearest first: what it answers, then the thread from its end."""
    return (*reading.original_ids, *reading.in_reply_to, *reversed(reading.references))


def _about(reading: Reading, known: Known) -> Match | None:
    found = [(known.by_rfc_id.get(one), "message id") for one in _threads(reading)]
    found += [(known.by_token.get(token), "address token") for token in reading.tokens]
    for ref, how in found:
        if ref is not None and (not ref.to_host or reading.kind in _REPORTS):
            return _of(ref, how)
    return None


def _of_another(about: Match, reported: Match | None, reading: Reading) -> bool:
    """Whether what failed is the address of another prospect, to whom theirs is forwarded: theirs
    may be well. A complaint is heeded for whom the message was to."""
    return (
        reported is not None
        and reading.kind != "complaint"
        and reported.prospect_id != about.prospect_id
    )


def _reported(reading: Reading, known: Known) -> Match | None:
    for address in reading.recipients:
        person = known.by_address.get(address)
        if person is not None:
            # The address that failed, which is not always the one we wrote to last; and reports
            # come to a mailbox of their own, for which nobody wrote.
            last = person.last
            return Match(
                person.prospect_id,
                "recipient",
                last.message_id if last else None,
                last.enrollment_id if last else None,
                person.identity_id,
            )
    return None


def _of(ref: Ref, how: str) -> Match:
    return Match(ref.prospect_id, how, ref.message_id, ref.enrollment_id, ref.identity_id)
