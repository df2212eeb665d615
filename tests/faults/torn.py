"""What a transaction that was torn would leave behind: a step half taken."""

from typing import Any

from tests import make
from tests.faults.harness import Town

# Two messages after each other, so that every settlement advances somebody.
TWO_STEPS: dict[str, Any] = make.PROGRAM | {
    "first": "hello",
    "steps": [
        make.PROGRAM["steps"][0] | {"next": "again"},
        make.PROGRAM["steps"][0] | {"id": "again", "next": "end", "thread": "hello"},
    ],
}

# Each names what is wrong and whose it is. Nothing may come back, whatever was cut or restarted.
TORN = {
    "sent, and its enrollment did not move": """
        select m.id from messages m join enrollments e on e.id = m.enrollment_id
        where m.state = 'sent' and m.step = e.step and e.state in ('active', 'sending')""",
    "moved, and its message is not sent": """
        select e.id from enrollments e join messages m on m.enrollment_id = e.id
        where m.state <> 'sent' and (e.state = 'finished' or m.step <> e.step)""",
    "planned, and there is no message": """
        select e.id from enrollments e where e.state = 'sending' and not exists (
          select 1 from messages m where m.enrollment_id = e.id and m.step = e.step)""",
    "a message, and its enrollment still waits to be planned": """
        select m.id from messages m join enrollments e on e.id = m.enrollment_id
        where e.state = 'active' and e.step = m.step""",
    "finished without both messages": """
        select e.id from enrollments e where e.state = 'finished' and 2 <> (
          select count(*) from messages m where m.enrollment_id = e.id and m.state = 'sent')""",
    "sent, and told never or twice": """
        select m.id from messages m where m.state = 'sent' and 1 <> (select count(*) from history h
          where h.message_id = m.id and h.kind = 'message.sent')""",
    "finished, and told never or twice": """
        select e.id from enrollments e where e.state = 'finished' and 1 <> (
          select count(*) from history h
          where h.enrollment_id = e.id and h.kind = 'enrollment.finished')""",
    "handed over, and not told": """
        select m.id from messages m where m.handed_at is not null and not exists (
          select 1 from history h where h.message_id = m.id and h.kind = 'message.sending')""",
}


def torn(made: Town) -> dict[str, int]:
    """How many of each there are; nothing is what there should be."""
    found = {what: len(made.query(statement)) for what, statement in TORN.items()}
    return {what: count for what, count in found.items() if count}


def faults(made: Town) -> tuple[str, ...]:
    """The same in words."""
    return tuple(f"{count} times: {what}" for what, count in torn(made).items())


def finished(made: Town, people: int) -> bool:
    """Whether both messages of everybody were brought to an end."""
    states = made.states()
    return states["sent"] + states["in_doubt"] == 2 * people or (
        # Who is in doubt about the first message gets no second one.
        states["in_doubt"] > 0 and states["sent"] + 2 * states["in_doubt"] == 2 * people
    )
