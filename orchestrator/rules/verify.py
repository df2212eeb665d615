"""`avtale verify`: what is looked at, what a difference means, and what to do about it.

Pure. `store/verify_*.py` holds the SQL of the checks that are a query, `rules/verify_history.py`
decides the ones that fold history; each goes by its name here.
"""

from dataclasses import dataclass, field
from typing import Any

_WORKER = "Start a worker: its sweeper settles this within seconds. If one runs, read its log."
_ASK = "Look at `avtale why` of this person, and report it: no code of ours leaves this behind."
_STOP = "Pause the sender (`avtale senders pause`) until it is known how this came about."
_RESTORED = "The database was changed from outside or half restored: restore a whole backup."


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold. `of`: the table whose rows are looked at; "" for the whole."""

    name: str
    of: str
    means: str
    act: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One row for which a check does not hold. `found` are ids, states and numbers."""

    check: str
    of: str
    id: str
    prospect_id: str | None
    found: dict[str, Any] = field(default_factory=dict)


def _checks(of: str, *rows: tuple[str, str, str]) -> list[Check]:
    return [Check(name, of, means, act) for name, means, act in rows]


_ALL: list[Check] = [
    *_checks(
        "messages",
        ("message_history", "its state is not the one that its history ends in", _ASK),
        ("message_fence", "its fence or attempts are lower than its history says", _ASK),
        ("sent_without_handover", "it is sent, and no hand-over of it was ever recorded", _ASK),
        ("handed_over_twice", "handed over again without proof that it had not left", _STOP),
        ("sent_twice", "it was recorded as sent more than once", _STOP),
        ("handed_over_after_no", "handed over after its person had opted out (L4)", _STOP),
        ("handed_over_after_end", "handed over after its sequence had ended (L4)", _STOP),
        ("handed_over_after_answer", "handed over after its person had answered (L4)", _STOP),
        ("message_columns", "lease, hand-over or settlement do not fit its state", _ASK),
        ("lease_stale", "a worker took it and neither it nor a sweeper came back", _WORKER),
        ("message_id", "its Message-ID is not the one that the secret key derives",
         "Start every process with the AVTALE_SECRET_KEY that it was planned with."),
        ("frozen_missing", "it was handed over, and its bytes were not kept", _RESTORED),
        ("frozen_message_id", "its frozen bytes carry another Message-ID", _RESTORED),
        ("frozen_recipient", "frozen for an address that its person does not have any more",
         "Stop the sequence for this person and enroll them again."),
        ("message_channel", "channel, sender and address of it are not of one channel", _ASK),
        ("open_after_end", "it waits to leave though its sequence has ended", _ASK),
        ("open_after_no", "it waits to leave though its person opted out (L4)", _ASK),
        ("open_after_answer", "it waits to leave though its person answered (L4)", _ASK),
        ("step_twice", "another message is of the same step of the same enrollment (L2)", _STOP),
        ("thread", "it answers a message of somebody else, or itself", _STOP),
        ("call_offer", "it offers a call that this enrollment did not unlock (L1)", _STOP),
        ("confirmation", "it confirms no booking, or somebody else's", _STOP),
        ("doubt_untold", "it is in doubt, and no open task asks about it", _WORKER),
    ),
    *_checks(
        "frozen",
        ("frozen_bytes", "its frozen bytes are not those that were frozen", _RESTORED),
    ),
    *_checks(
        "sequence_versions",
        ("version_digest", "its definition is not the one that was published", _RESTORED),
    ),
    *_checks(
        "enrollments",
        ("enrollment_step", "it stands at a step that its version does not have", _ASK),
        ("enrollment_version", "it is pinned to a version of another sequence", _RESTORED),
        ("enrollment_undue", "it is active and nothing says when to look at it", _ASK),
        ("half_advanced", "its message is sent and it did not move on", _ASK),
        ("sending_nothing", "it waits for a message that does not exist", _ASK),
        ("active_with_open", "the planner moves it while a message of it waits to leave", _ASK),
        ("stranded", "nothing moves it and no open task asks about it", _WORKER),
        ("runs_after_no", "it runs though its person opted out (L4)",
         "`avtale person stop PERSON`, then report it."),
        ("enrollment_history", "it runs though history says it ended, or the other way", _ASK),
        ("enrollment_end", "it has ended and does not say when", _ASK),
    ),
    *_checks(
        "prospects",
        ("opted_out_unsuppressed", "they opted out and none of their addresses is suppressed",
         "`avtale person stop PERSON --reason opt_out` writes the suppressions again."),
        ("opt_out_lost", "history has their opt-out, their row does not (L4)",
         "`avtale person stop PERSON --reason opt_out` sets it again."),
        ("opt_out_untold", "their row says they opted out, history does not (L7)", _ASK),
    ),
    *_checks(
        "suppressions",
        ("suppressed_not_opted_out", "a person is suppressed and not opted out (L4)",
         "`avtale person stop PERSON --reason opt_out`."),
    ),
    *_checks(
        "identities",
        ("address_hash", "its suppression key is not the one that the secret key derives (L4)",
         "Start every process with the AVTALE_SECRET_KEY that it was imported with."),
        ("bounced_unsuppressed", "it bounced and is not suppressed", _ASK),
    ),
    *_checks(
        "engagements",
        ("stop_not_heeded", "they said stop and are not opted out (L4)",
         "`avtale person stop PERSON --reason opt_out`, then report it."),
        ("no_not_heeded", "they said no and the sequence that they answered runs (L4)",
         "`avtale person stop PERSON`, then report it."),
        ("engagement_owner", "it is about an enrollment or a verdict of somebody else", _ASK),
        ("engagement_untold", "history does not know of it (L7)", _ASK),
    ),
    *_checks(
        "unlocks",
        ("unlock_grade", "no human engagement of the same person earned it (L1)", _STOP),
        ("unlock_revised", "the answer that earned it was read as no human's later",
         "Read the answer; stop the person's sequence if it was a machine's."),
        ("unlock_untold", "history does not know of it (L7)", _ASK),
    ),
    *_checks(
        "bookings",
        ("booking_unlock", "no unlock of the same person allows it (L1)", _ASK),
        ("booking_overlap", "its host has another live booking at that time",
         "Call off one of the two (`avtale hosts`), and tell them."),
        ("booking_runs", "the call is booked and its sequence runs on", _ASK),
        ("booking_untold", "history does not know of it (L7)", _ASK),
        ("booking_unannounced", "its host was not told of this time, and history not why", _ASK),
    ),
    *_checks(
        "provider_events",
        ("event_unread", "it was stored and nobody has read it",
         "Start a worker. Until it is read, an answer or a no may be in it (L4)."),
        ("event_failed", "it could not be read, so that nothing was done about it",
         "`GET /api/events` shows it; read it by hand: an answer or a no may be in it (L4)."),
    ),
    *_checks(
        "tasks",
        ("task_over", "it asks about a sequence that has ended", "Close it: nothing comes of it."),
        ("doubt_settled", "it asks whether a message left, which is settled",
         "Close it: nothing comes of it."),
    ),
    *_checks(
        "subscriptions",
        ("fan_out_ahead", "it is further in history than history goes: it will miss events",
         "Report it; `after_history` must be set back to the newest line."),
    ),
    *_checks(
        "deliveries",
        ("delivery_stuck", "it is due for long and nobody delivers it",
         "Start a worker; if one runs, read its log."),
        ("delivery_orphan", "the line of history that it tells of is gone", _RESTORED),
        ("delivery_unproved", "it counts as delivered and no attempt was answered 2xx", _ASK),
    ),
    *_checks(
        "history",
        ("history_orphan", "it is about a message or an enrollment that is gone", _RESTORED),
    ),
    *_checks(
        "senders",
        ("sealed", "its passwords cannot be opened with this secret key",
         "Use the AVTALE_SECRET_KEY that they were sealed with, or set them again."),
        ("lane_missing", "it has no lane, so that nothing of it ever leaves", _RESTORED),
        ("lane_used", "more left today than its lane has counted: its cap does not hold", _ASK),
    ),
    *_checks(
        "",
        ("guards", "a constraint, trigger or index that holds a law is not there or is off",
         "Restore into an empty database, or run `avtale migrate` on a fresh one and compare."),
        ("numbering", "new rows would get numbers that are taken", _RESTORED),
    ),
]  # fmt: skip

CHECKS: dict[str, Check] = {check.name: check for check in _ALL}
TABLES: tuple[str, ...] = tuple(dict.fromkeys(check.of for check in _ALL if check.of))
