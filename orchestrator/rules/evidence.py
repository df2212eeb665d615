"""What proves that a message of ours has left, so that a doubt about it ends. Pure.

A proof names the message itself: by its Message-ID or a token that its bytes carry (both are HMACs
that nobody can guess), or by the reference under which its own sender's provider reports on it.
Who wrote, from which address and when proves nothing: they may be answering an earlier message.
"""

from uuid import UUID

from channels.base import EventKind
from orchestrator.rules.mail_reading import Reading
from orchestrator.rules.matching import Known, is_own

# What a provider says only of a message that it has taken over. A deferral is among them: the
# provider tries for us from then on. So is a preview, which a machine made of a link in it.
_OF_PROVIDERS: tuple[EventKind, ...] = (
    *("message", "button", "reaction", "read", "delivered", "deferred", "bounced", "complained"),
    *("opened", "clicked", "unsubscribed", "own_message", "link_preview"),
)


def event_proves(kind: EventKind, *, about: UUID, person: UUID) -> bool:
    """Whether an event of `person` that names a message to `about` proves that it has left: what
    names one person's message and another's address contradicts itself."""
    return kind in _OF_PROVIDERS and about == person


def proven_by_mail(reading: Reading, known: Known) -> dict[UUID, UUID]:
    """The messages that a mail proves to have left: message -> prospect.

    The nearest reference only: a thread that we continued ourselves names earlier messages whether
    or not they ever left.
    """
    if reading.kind == "own" and not is_own(reading, known):
        return {}  # one of us wrote about it, which shows nothing
    if is_own(reading, known):
        named: tuple[str, ...] = (reading.message_id or "",)  # it came back to us as it was sent
    else:
        nearest = reading.in_reply_to or reading.references[-1:]
        returned = [one for one in reading.original_ids if one in known.by_rfc_id]
        named = (*returned[:1], *nearest)
    found = [known.by_rfc_id.get(one) for one in named]
    found += [known.by_token.get(token) for token in reading.tokens]
    return {ref.message_id: ref.prospect_id for ref in found if ref is not None}
