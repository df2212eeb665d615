"""What a machine said of a message of ours, as a value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Report:
    """`kind`: bounce, delayed, complaint or auto_reply. `hard`: every failed address is gone."""

    kind: str
    class_: str
    reasons: tuple[str, ...]
    recipients: tuple[str, ...] = ()
    status: str | None = None  # enhanced status code (RFC 3463)
    hard: bool = False
    feedback_type: str | None = None
    ids: tuple[str, ...] = ()  # of the message it is about, where the report is inside another mail
