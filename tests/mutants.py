"""Take each guard of a law out, one at a time, and see its test go red.

    python -m tests.mutants [NAME...]

Works on a copy of the tree in a temporary folder. Prints one line a guard and exits 1 when a test
stayed green without it (or when a guard is no longer where this file says).
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import access_mutants

ROOT = Path(__file__).parents[1]
PARTS = ("orchestrator", "channels", "migrations", "templates", "tests", "pyproject.toml")


@dataclass(frozen=True)
class Mutant:
    """One guard: where it stands, what is left without it, and the tests that must notice."""

    law: str
    file: str
    guard: str
    without: str
    tests: str


HANDOVER = "orchestrator/store/handover.py"
POINT = "tests/flows/test_point_of_no_return.py"
PROTOCOL = "tests/flows/test_send_protocol.py"
TABLES = "migrations/versions/v0001_first_tables.py"
GUARDS = "migrations/versions/v0002_guards.py"
CALLS = "tests/store/test_call_guards.py"
EVIDENCE, RECONCILE = "tests/flows/test_evidence.py", "tests/flows/test_reconcile.py"
WINDOW = "orchestrator/rules/window.py"

MUTANTS: dict[str, Mutant] = {
    "an account that its row has left behind": Mutant(
        "L2",
        "orchestrator/store/senders.py",
        "or kept[1] != values",
        "or False",
        "tests/flows/test_senders.py -k kept",
    ),
    "links of bytes that somebody else froze": Mutant(
        "L2",
        "orchestrator/store/frozen.py",
        "where l.message_id in (select message_id from fresh)",
        "where true",
        "tests/flows/test_prepare.py -k freeze_at_once",
    ),
    "our bytes where somebody else froze first": Mutant(
        "L2",
        "orchestrator/flows/prepare.py",
        "if one in new",
        "if True",
        "tests/flows/test_prepare.py -k freeze_at_once",
    ),
    "an address that is not theirs any more": Mutant(
        "L5",
        "orchestrator/store/context.py",
        "on i.id = w.identity_id and i.prospect_id = w.prospect_id",
        "on i.prospect_id = w.prospect_id",
        "tests/flows/test_prepare.py -k planned_for",
    ),
    "the wrong fact of a name": Mutant(
        "L6",
        "orchestrator/store/context.py",
        "order by prospect_id, name, found_on desc nulls last, recorded_at desc, id desc",
        "order by prospect_id, name, found_on desc nulls first, recorded_at desc, id desc",
        "tests/flows/test_prepare.py -k newest",
    ),
    "the date of another zone": Mutant(
        "L5",
        "channels/email/mime.py",
        "shown.replace(tzinfo=timezone(offset))",
        "shown.replace(tzinfo=timezone.utc)",
        "tests/channels/test_mime.py -k zones",
    ),
    "pass without the fence": Mutant(
        "L2",
        HANDOVER,
        "where m.id = w.id and m.fence = w.fence and m.state = 'leased'",
        "where m.id = w.id and m.state = 'leased'",
        POINT,
    ),
    "settle without the fence": Mutant(
        "L2",
        HANDOVER,
        "where m.id = w.id and m.fence = w.fence and (",
        "where m.id = w.id and (",
        POINT,
    ),
    "pass after the lease": Mutant(
        "L2",
        HANDOVER,
        "and m.lease_until > clock_timestamp() + make_interval(secs => :budget)",
        "and cast(:budget as float) >= 0",
        POINT,
    ),
    "resend what is in doubt": Mutant(
        "L2",
        "orchestrator/store/leases.py",
        "update messages set state = 'in_doubt', lease_owner",
        "update messages set state = 'retry_wait', lease_owner",
        POINT,
    ),
    "an older thread proves that it left": Mutant(
        "L2",
        "orchestrator/rules/evidence.py",
        "reading.in_reply_to or reading.references[-1:]",
        "reading.in_reply_to or reading.references",
        f"{EVIDENCE} -k names_it_not",
    ),
    "an event of another person proves that it left": Mutant(
        "L2",
        "orchestrator/rules/evidence.py",
        " and about == person",
        "",
        f"{EVIDENCE} -k another_person",
    ),
    "evidence before the doubt is forgotten": Mutant(
        "L2",
        "orchestrator/flows/note_evidence.py",
        "        await keep_evidence(conn, message_id, kind, now)\n",
        "",
        f"{EVIDENCE} -k before_the_doubt",
    ),
    "evidence does not stop a second copy": Mutant(
        "L2",
        "orchestrator/flows/note_evidence.py",
        "row = await doubts.overtake(conn, message_id, evidence=kind, now=now)",
        "pass",
        f"{EVIDENCE} -k send_again",
    ),
    "a key after its time": Mutant(
        "L2",
        "orchestrator/rules/doubt.py",
        "return doubt.first_age + later < doubt.key_seconds / 2",
        "return True",
        f"{RECONCILE} -k by_itself",
    ),
    "the same key after a stop": Mutant(
        "L4",
        "orchestrator/flows/send_same_key.py",
        "            and await _still_may(app, row, at)\n",
        "",
        f"{RECONCILE} -k forbids",
    ),
    "the same key at night": Mutant(
        "L5",
        "orchestrator/flows/send_same_key.py",
        "            and await _window_open(app, row, at)\n",
        "",
        f"{RECONCILE} -k forbids",
    ),
    "a restore resends what it cannot know": Mutant(
        "L2",
        "orchestrator/rules/doubt.py",
        " and not doubt.restored",
        "",
        f"{RECONCILE} -k after_a_restore",
    ),
    "what is not there after days never left": Mutant(
        "L2",
        "orchestrator/rules/doubt.py",
        "doubt.age < ABSENCE_PROVES and",
        "",
        f"{RECONCILE} -k is_asked",
    ),
    "outreach in doubt is sent again": Mutant(
        "L2",
        "orchestrator/rules/doubt.py",
        'if doubt.kind in OF_STEPS:\n        return "person"',
        'if doubt.kind in OF_STEPS:\n        return "again"',
        f"{RECONCILE} -k without_any",
    ),
    "any transition": Mutant(
        "L2",
        GUARDS,
        "if not (case old.state",
        "if false and not (case old.state",
        "tests/store/test_database_guards.py",
    ),
    "opt-out not re-checked": Mutant(
        "L4", HANDOVER, "p.opted_out_at is null", "true", f"{POINT} -k opt"
    ),
    "suppression not re-checked": Mutant(
        "L4",
        HANDOVER,
        "and not exists (select 1 from suppressions x where x.address_hash = i.address_hash))",
        ")",
        f"{POINT} -k suppressed",
    ),
    "bounce not re-checked": Mutant(
        "L4", HANDOVER, "and i.state = 'usable'", "", f"{POINT} -k bounced"
    ),
    "pause of a person not re-checked": Mutant(
        "L4", HANDOVER, "and p.paused_at is null", "", f"{POINT} -k paused"
    ),
    "pause of a sequence not re-checked": Mutant(
        "L4", HANDOVER, "s.state = 'active' and", "", f"{POINT} -k paused"
    ),
    "pause of a sender not re-checked": Mutant(
        "L4", HANDOVER, "and a.paused_at is null", "", f"{POINT} -k paused"
    ),
    "answer not re-checked": Mutant(
        "L4", HANDOVER, "(e.answered_at is null or m.kind = 'call_offer')", "true", POINT
    ),
    "unread answers not seen": Mutant(
        "L4", HANDOVER, "where x.state = 'stored'", "where false and x.state = 'stored'", POINT
    ),
    "an answer that is stored locks nobody": Mutant(
        "L4",
        "orchestrator/flows/take_event.py",
        "await standing.lock_prospects(conn, people)",
        "pass",
        POINT,
    ),
    "an event that is stored locks nobody": Mutant(
        "L4",
        "orchestrator/flows/take_events.py",
        "await standing.lock_prospects(conn, set().union(*people))",
        "pass",
        POINT,
    ),
    "no lock on the prospect": Mutant(
        "L4", HANDOVER, '("prospects", "for no key update"),', '("prospects", ""),', POINT
    ),
    "open in any zone": Mutant(
        "L5", WINDOW, "return all(_open_in(", "return any(_open_in(", "tests/rules/test_window.py"
    ),
    "open at the closing hour": Mutant(
        "L5", WINDOW, "wall < window.end or", "wall <= window.end or", "tests/rules/test_window.py"
    ),
    "open on public holidays": Mutant(
        "L5", WINDOW, " or calendar.is_holiday(country, day):", ":", "tests/rules/test_window.py"
    ),
    "changes of the clocks not seen": Mutant(
        "L5", WINDOW, "sorted(starts.union(jumps))", "sorted(starts)", "tests/rules/test_window.py"
    ),
    "one zone for whoever is unknown": Mutant(
        "L5",
        "orchestrator/rules/zones.py",
        "            return found\n    return all_zones()",
        '            return found\n    return frozenset({"Europe/Oslo"})',
        "tests/rules/test_zones.py",
    ),
    "late at the point of no return": Mutant(
        "L5",
        "orchestrator/flows/deliver.py",
        "self.passed = claimed.window_open() and await",
        "self.passed = await",
        f"{POINT} -k window",
    ),
    "the clock of a slow claim": Mutant(
        "L5",
        "orchestrator/flows/claim.py",
        "return self.claimed_at + timedelta(seconds=steady() - self.claimed_clock)",
        "return self.claimed_at",
        f"{POINT} -k window",
    ),
    "a clock that sleeps with the machine": Mutant(
        "L5",
        "orchestrator/clock.py",
        'getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)',
        "time.CLOCK_MONOTONIC",
        f"{POINT} -k sleep_of",
    ),
    "a click is an answer": Mutant(
        "L1",
        "orchestrator/rules/gate.py",
        'if answer.grade != "human":',
        "if False:",
        "tests/rules/test_gate.py",
    ),
    "a call that nobody earned": Mutant(
        "L1",
        "orchestrator/rules/sequence_file/proof.py",
        "if isinstance(step, CallStep) and step.id in ways",
        "if False",
        "tests/rules/test_sequence_file_proof.py",
    ),
    "doubtful interest": Mutant(
        "L1",
        "orchestrator/rules/meaning.py",
        "if any(one.doubt.search(text) for one in self.words.languages):",
        "if False:",
        "tests/rules/test_meaning.py",
    ),
    "a stop that is not looked for": Mutant(
        "L4",
        "orchestrator/rules/meaning.py",
        "if stopped := opt_out.signs(text, self.words.stops):",
        "if stopped := ():",
        "tests/rules/test_meaning.py -k table",
    ),
    "interest beside words of a stop": Mutant(
        "L1",
        "orchestrator/rules/meaning.py",
        "if (later or keen) and opt_out.hints(text):",
        "if False:",
        "tests/rules/test_opt_out.py -k earn_nothing",
    ),
    "a model above a stop": Mutant(
        "L4",
        "orchestrator/rules/meaning.py",
        "if stopped := words.stops(text):",
        "if stopped := ():",
        "tests/rules/test_meaning.py -k model",
    ),
    "our footer taken for theirs": Mutant(
        "L4",
        "orchestrator/rules/mail/quotes.py",
        "lines = _subtract(lines, sent)",
        "lines = list(lines)",
        "tests/rules/test_mail_reading.py -k rewrapped",
    ),
    "somebody else in the channel": Mutant(
        "L1",
        "orchestrator/flows/handle_event.py",
        'theirs = await did_it(conn, event, row["sender_id"], person)',
        "theirs = True",
        "tests/flows/test_channels.py -k somebody_else",
    ),
    "a stop in the subject alone": Mutant(
        "L4",
        "orchestrator/flows/understanding.py",
        "if said := meaning.stop_in_subject(reading.subject, subjects):",
        "if said := ():",
        "tests/flows/test_read_events.py -k subject_alone",
    ),
    "a complaint in another mailbox": Mutant(
        "L4",
        "orchestrator/rules/matching.py",
        "        if person is not None:\n            # The",
        "        if person is not None and person.last:\n            # The",
        "tests/flows/test_read_events.py -k nobody_writes_from",
    ),
    "a forged date of an absence": Mutant(
        "L3",
        "orchestrator/flows/understanding.py",
        """        "today": event["received_at"].date(),\n""",
        "",
        "tests/flows/test_absence.py -k forged",
    ),
    "a soft bounce that suppresses": Mutant(
        "L4",
        "orchestrator/flows/heeding.py",
        'reading.kind == "bounce" and reading.hard and',
        'reading.kind == "bounce" and',
        "tests/flows/test_read_events.py -k not_hard",
    ),
    "an authentication report that complains": Mutant(
        "L4",
        "orchestrator/rules/mail/complaints.py",
        "if kind not in _COMPLAINTS and kind:",
        "if False:",
        "tests/flows/test_read_events.py -k dmarc_report",
    ),
    "one of them gone, all suppressed": Mutant(
        "L4",
        "orchestrator/rules/mail/reports.py",
        'all(one == "hard" for one, _ in told)',
        'any(one == "hard" for one, _ in told)',
        "tests/corpus/test_fresh.py -k harm",
    ),
    "a person's word of a bounce": Mutant(
        "L4",
        "orchestrator/rules/mail/reports.py",
        "return titled and says and not _threaded(mail) and",
        "return titled and says and",
        "tests/corpus/test_fresh.py -k harm",
    ),
    "an absence that moves nothing": Mutant(
        "B13",
        "orchestrator/flows/heed_absence.py",
        "if back > max(now, person",
        "if False and max(now, person",
        "tests/flows/test_absence.py -k stated",
    ),
    "a host is the prospect": Mutant(
        "L1",
        "orchestrator/rules/matching.py",
        "and (not ref.to_host or reading.kind in _REPORTS)",
        "",
        "tests/flows/test_read_events.py -k host",
    ),
    "a mail that is not stored": Mutant(
        "L3",
        "orchestrator/api/mail_in.py",
        "async with transaction(app.engine) as conn:",
        "async with app.engine.connect() as conn:",
        "tests/api/test_mail_in.py",
    ),
    "rows that are not stored": Mutant(
        "L3",
        "orchestrator/flows/import_prospects.py",
        "if report.dry_run:",
        "if True:",
        "tests/flows/test_import.py",
    ),
    "an answer given up": Mutant(
        "L3",
        "orchestrator/flows/read_events.py",
        "if is_passing(error):",
        "if error.connection_invalidated:",
        "tests/flows/test_read_events.py -k passing",
    ),
    "stranded in silence": Mutant(
        "L3",
        "orchestrator/store/stranded.py",
        "where e.state in ('sending', 'held')",
        "where e.state in ('held')",
        "tests/flows/test_stranded.py",
    ),
    "interest that stops nothing": Mutant(
        "L4",
        "orchestrator/rules/gate.py",
        'return Decision("ask" if unread else "note", reason, others="stop")',
        'return Decision("ask" if unread else "note", reason, others="stay")',
        "tests/flows/test_answered.py",
    ),
    "a plan without its line": Mutant(
        "L7",
        "orchestrator/flows/plan.py",
        "    await history.append_many(conn, work.lines, at=now)\n",
        "",
        "tests/flows/test_explained.py",
    ),
    "an outcome without its line": Mutant(
        "L7",
        HANDOVER,
        "  from settled\n), moved as",
        "  from settled where false\n), moved as",
        "tests/flows/test_explained.py",
    ),
    "a stop without its line": Mutant(
        "L7",
        "orchestrator/flows/ending.py",
        '"enrollment.stopped",',
        '"enrollment.held",',
        "tests/flows/test_explained.py",
    ),
    "an open is human": Mutant(
        "L1",
        TABLES,
        "grade <> 'human' or kind in ('reply'",
        "kind <> '' or kind in ('reply'",
        CALLS,
    ),
    "an unlock of any grade": Mutant(
        "L1", TABLES, "sa.CheckConstraint(\"grade = 'human'\"", "sa.CheckConstraint('true'", CALLS
    ),
    "an unlock of any engagement": Mutant(
        "L1",
        TABLES,
        "['engagement_id', 'prospect_id', 'grade'], ['engagements.id', 'engagements.prospect_id',"
        " 'engagements.grade']",
        "['engagement_id'], ['engagements.id']",
        CALLS,
    ),
    "a booking of anybody's unlock": Mutant(
        "L1",
        TABLES,
        "['unlock_id', 'prospect_id'], ['unlocks.id', 'unlocks.prospect_id'],"
        " name=op.f('fk_bookings",
        "['unlock_id'], ['unlocks.id'], name=op.f('fk_bookings",
        CALLS,
    ),
    "two calls at one time": Mutant(
        "double booking",
        TABLES,
        "where=sa.text(\"state = 'booked'\"), using='gist'",
        "where=sa.text('false'), using='gist'",
        CALLS,
    ),
    "homework not checked": Mutant(
        "L6",
        "orchestrator/flows/writing.py",
        "    if missing:\n",
        "    if False:\n",
        "tests/flows/test_plan.py",
    ),
    "a pass of long ago": Mutant(
        "L2",
        "orchestrator/combiner.py",
        "if began is not None and steady() - began > FRESH:",
        "if False:",
        f"{PROTOCOL} -k too_old",
    ),
    "an unknown pass is a pass": Mutant(
        "L2",
        "orchestrator/combiner.py",
        "_answer_passes(passes, _Written())",
        "_answer_passes(passes, _Written({one.message_id for one in passes}, began=steady()))",
        f"{PROTOCOL} -k unknown_pass",
    ),
    "an unknown settlement is left": Mutant(
        "L2",
        "orchestrator/combiner.py",
        "done = _Written(settled=await self._after_doubt(settlements))",
        "done = _Written()",
        f"{PROTOCOL} -k unknown_settlement",
    ),
    "a commit that the server may forget": Mutant(
        "L2",
        "orchestrator/db.py",
        '"synchronous_commit": "on",',
        "",
        f"{PROTOCOL} -k forget",
    ),
    "a lease of somebody else is renewed": Mutant(
        "L2",
        "orchestrator/store/leases.py",
        "on w.id = m.id and w.fence = m.fence",
        "on w.id = m.id",
        f"{PROTOCOL} -k others_took",
    ),
    "a start in the middle of a restore": Mutant(
        "L2",
        "orchestrator/db.py",
        "        if restoring:",
        "        if False:",
        "tests/commands/test_backup.py -k nobody_starts",
    ),
    "leases that nobody keeps": Mutant(
        "L2",
        "orchestrator/sender.py",
        "            await self._rounds(stop)\n",
        "            keeping.cancel()\n            await self._rounds(stop)\n",
        f"{PROTOCOL} -k keeps_the_leases",
    ),
    "a release under any fence": Mutant(
        "L2",
        "orchestrator/store/leases.py",
        "where id = :id and fence = :fence and state in ('leased', 'sending', 'in_doubt')",
        "where id = :id and state in ('leased', 'sending', 'in_doubt')",
        f"{PROTOCOL} -k late_writes",
    ),
    "passing while leaving": Mutant(
        "L2",
        "orchestrator/combiner.py",
        "if self.closing:",
        "if False:",
        f"{PROTOCOL} -k worker_leaves",
    ),
    "taken late and sent again": Mutant(
        "L2",
        "orchestrator/flows/deliver.py",
        "if not written and isinstance(result, Sent):",
        "if False:",
        f"{PROTOCOL} -k taken_late",
    ),
    "a bounce apart from its failure": Mutant(
        "L4",
        "orchestrator/combiner.py",
        "if follow is not None and done.settled:",
        "if False:",
        f"{PROTOCOL} -k unknown_settlement",
    ),
    "a pass while an outcome before it waits": Mutant(
        "L2",
        "orchestrator/flows/deliver.py",
        "        if self.after is not None:\n",
        "        if False:\n",
        "tests/flows/test_hands.py -k nothing_passes",
    ),
    "a pass while an outcome of the connection before it waits": Mutant(
        "L2",
        "orchestrator/hands.py",
        "        if self._writing is not None:  #",
        "        if False:  #",
        "tests/flows/test_hands.py -k nothing_passes",
    ),
    "a fault after the point of no return is a no": Mutant(
        "L2",
        "orchestrator/flows/deliver.py",
        "return Unknown(detail) if self.passed else NotSent",
        "return NotSent",
        "tests/flows/test_hands.py -k fault",
    ),
    "a mail that was only named is lost": Mutant(
        "L3",
        "channels/email/smtp.py",
        "            mails.back(self._ahead)\n",
        "            pass\n",
        "tests/channels/test_stream.py -k silence",
    ),
    "an old password until the backlog ends": Mutant(
        "L2",
        "orchestrator/hands.py",
        "if lane.account is not self._account and lane.account != self._account:",
        "if False:",
        "tests/flows/test_hands.py -k account_has_changed",
    ),
    "a cap used up by a lane that is ill": Mutant(
        "cap",
        "orchestrator/sender.py",
        "lane.slow or lane.ill or",
        "lane.slow or",
        "tests/flows/test_hands.py -k is_ill",
    ),
    "a lease that outlives a sleep of the machine": Mutant(
        "L5",
        "orchestrator/store/leases.py",
        "where m.state = 'leased' and m.lease_until > clock_timestamp()",
        "where m.state = 'leased'",
        f"{PROTOCOL} -k ran_out_is_not",
    ),
    "lanes as they lie in their table": Mutant(
        "lanes",
        "orchestrator/store/due.py",
        "  for no key update of l skip locked) one\n",
        "  ) one order by one.sender_id desc\n",
        "tests/flows/test_claim.py -k order_in_which",
    ),
    "every lane may try every connection": Mutant(
        "lanes",
        "orchestrator/lanes.py",
        "if self._unproven and self._trials else",
        "if self._unproven else",
        "tests/flows/test_hands.py -k shown_nothing",
    ),
    "a refused login tried again and again": Mutant(
        "cap",
        "orchestrator/hands.py",
        'if isinstance(result, NotSent) and result.lane != "fine":',
        "if False:",
        f"{PROTOCOL} -k refused_login",
    ),
    "silence after the body is a no": Mutant(
        "L2",
        "channels/email/classify.py",
        "    if isinstance(outcome, Silence):\n        return Unknown(detail)\n",
        "    if isinstance(outcome, Silence):\n        return NotSent('dropped', detail)\n",
        "tests/channels/test_matrix.py -k smtp",
    ),
    "a watermark that is never forgotten": Mutant(
        "L3",
        "orchestrator/rules/watermark.py",
        "if clock - self._since >= KEPT_SECONDS:",
        "if not self._since:",
        "tests/rules/test_watermark.py",
    ),
    "a watermark behind which nobody looks": Mutant(
        "L3",
        "orchestrator/rules/watermark.py",
        "self._marks | marks if full else {}",
        "self._marks | marks",
        "tests/flows/test_claim.py -k before_the_mark",
    ),
    "cap not counted": Mutant(
        "cap",
        "orchestrator/flows/claim.py",
        '"used": has.used + len(own)',
        '"used": has.used',
        POINT,
    ),
    "a scan's links that do not see each other": Mutant(
        "L1",
        "orchestrator/flows/judge_seen.py",
        '(await standing.lock_prospects(conn, [event["prospect_id"]]))[event["prospect_id"]]',
        '{"opted_out_at": None}',
        "tests/pages/test_tracking.py -k race",
    ),
    "hidden link that marks nobody": Mutant(
        "L1",
        "orchestrator/rules/opens.py",
        'yield "fetcher_of_hidden_link"',
        "yield from ()",
        "tests/rules/test_opens.py -k hidden",
    ),
    "second link that tells nothing": Mutant(
        "L1",
        "orchestrator/flows/judge_seen.py",
        'row["grade"] == "ambiguous" and verdict.grade == "machine"',
        "False",
        "tests/pages/test_tracking.py -k hindsight",
    ),
    "a colleague's answer that unlocks": Mutant(
        "L1",
        "orchestrator/flows/handle_mail.py",
        'found.writer != "theirs" or found.beside',
        "False or found.beside",
        "tests/flows/test_read_events.py -k somebody_else",
    ),
    "two prospects of one thread merged": Mutant(
        "L1",
        "orchestrator/rules/matching.py",
        "if about.prospect_id == writer.prospect_id:",
        "if about is not None:",
        "tests/flows/test_read_events.py -k b16",
    ),
    "rereading that opens a call": Mutant(
        "L1",
        "orchestrator/rules/rereading.py",
        '        return "ask"',
        '        return "act"',
        "tests/flows/test_reread.py -k interest",
    ),
    "rereading that forgets an open call": Mutant(
        "L1",
        "orchestrator/rules/rereading.py",
        'now.meaning == "interested" else "doubt"',
        'now.meaning == "interested" else "note"',
        "tests/flows/test_reread.py -k silence",
    ),
    "rereading over a person's word": Mutant(
        "L1",
        "orchestrator/rules/rereading.py",
        "if any(one.by_person for one in standing.values()):",
        "if False:",
        "tests/flows/test_reread.py -k interest",
    ),
    "a stop by a colleague not heeded": Mutant(
        "L4",
        "orchestrator/flows/handle_mail.py",
        'mail.verdict.meaning == "stop":',
        'mail.verdict.meaning == "never":',
        "tests/flows/test_read_events.py -k whoever",
    ),
    "sleep while lanes finish": Mutant(
        "lanes",
        "orchestrator/sender.py",
        "free = lane.account.id in self._passed_over and not self._is_busy(lane)",
        "free = False",
        "tests/faults/test_lanes.py -k wakes",
    ),
    "send what is late": Mutant(
        "L2",
        "orchestrator/rules/leaving.py",
        "    if c.late:",
        "    if False:",
        "tests/flows/test_late.py -k limit",
    ),
    "a restore that lets go what a person may have": Mutant(
        "L2",
        "orchestrator/store/restored.py",
        " or due_at <= :now or last_class in {_WAKEABLE})",
        ")",
        "tests/flows/test_late.py -k restore",
    ),
    "a restore that lets the planner write again": Mutant(
        "L2",
        "orchestrator/store/restored.py",
        "(e.state = 'held' or e.due_at <= :now",
        "(e.state = 'held'",
        "tests/commands/test_backup.py -k may_have_left",
    ),
    "ask about one message of a restore only": Mutant(
        "L2",
        "orchestrator/flows/going_on.py",
        "if ask_until is None or due_at > ask_until or step == END:",
        "if ask_until is not None or step:",
        "tests/flows/test_late.py -k asked_about",
    ),
    "offer the call again to an answer of before a restore": Mutant(
        "L2",
        "orchestrator/flows/deciding.py",
        'elif at.unlock["replayed"]:',
        "elif False:",
        "tests/flows/test_late.py -k read_again",
    ),
    "verify blind to a second hand-over": Mutant(
        "L2",
        "orchestrator/rules/verify_history.py",
        "if under_way is not None:",
        "if False:",
        "tests/rules/test_verify_history.py",
    ),
}
MUTANTS |= {name: Mutant("access", *guard) for name, guard in access_mutants.GUARDS.items()}


@contextmanager
def copied() -> Iterator[Path]:
    """A copy of the tree in a temporary folder."""
    home = Path(tempfile.mkdtemp(prefix="avtale-mutants-"))
    try:
        for part in PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, home / part)
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def replaced(path: Path, guard: str, without: str) -> Iterator[None]:
    """`path` with `without` in the place of `guard`. Raises LookupError when it is not there."""
    source = path.read_text()
    if guard not in source:
        raise LookupError("the guard is not where this file says")
    try:
        path.write_text(source.replace(guard, without))
        yield
    finally:
        path.write_text(source)


def environment(home: Path) -> dict[str, str]:
    """For a process that runs the code of the copy."""
    return os.environ | {"PYTHONPATH": str(home), "PYTHONDONTWRITEBYTECODE": "1"}


def run(mutant: Mutant, home: Path) -> str:
    """`caught`, or what is wrong."""
    try:
        with replaced(home / mutant.file, mutant.guard, mutant.without):
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"),
                    *mutant.tests.split(),
                ],
                cwd=home,
                env=environment(home),
                capture_output=True,
                text=True,
            )
    except LookupError as error:
        return str(error)
    if done.returncode == 1 and " failed" in done.stdout:
        return "caught"
    return f"NOT caught (pytest ended with {done.returncode}): {done.stdout[-300:]}"


def main(wanted: list[str]) -> int:
    """Run the mutants whose name or law contains one of the words; all without words."""
    chosen = {
        name: mutant
        for name, mutant in MUTANTS.items()
        if not wanted or any(word in f"{mutant.law} {name}" for word in wanted)
    }
    results = {}
    with copied() as home:
        for name, mutant in chosen.items():
            results[name] = run(mutant, home)
            print(f"{mutant.law}  {name}: {results[name]}", flush=True)
    caught = sum(result == "caught" for result in results.values())
    print(f"{caught} of {len(results)} guards are held by a test")
    return 0 if caught == len(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
