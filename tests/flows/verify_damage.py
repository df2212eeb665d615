"""One corruption for each check of `verify`: what a bug, a hand or a half restored backup leaves.

Each is SQL that runs with triggers and foreign keys off. `{sent}` and the like are ids of people of
`verify_world.town`.
"""

_MESSAGE = "(select id from messages where prospect_id = '{%s}' and kind = 'outreach' limit 1)"
SENT = _MESSAGE % "sent"
_ENROLLED = "(select id from enrollments where prospect_id = '{%s}')"


def _line(kind: str, message: str = "null", person: str = "sent", detail: str = "{{}}") -> str:
    return (
        "insert into history (at, kind, prospect_id, enrollment_id, message_id, detail) select"
        f" now(), '{kind}', e.prospect_id, e.id, {message}, '{detail}' from enrollments e"
        f" where e.prospect_id = '{{{person}}}'"
    )


_COPY_MESSAGE = (
    "insert into messages (id, enrollment_id, prospect_id, step, kind, channel, sender_id,"
    " identity_id, due_at, rfc_message_id)"
    " select gen_random_uuid(), enrollment_id, prospect_id, {step}, kind, channel, sender_id,"
    " identity_id, now(), '<other@sender.example>' from messages where id = {of}"
)
_OPEN = f"update messages set state = 'pending' where id = {SENT}"
_NEW_EVENT = (
    "insert into provider_events (id, source, external_id, kind, raw, state, received_at)"
    " values (gen_random_uuid(), 'test', 'x', 'mail', '', '{}', now() - interval '1 hour')"
)
_SUBSCRIPTION = (
    "insert into subscriptions (id, url, kinds, secrets, after_history)"
    " values ('{sent}', 'https://receiver.example', '{{*}}', '', %s)"
)
_DELIVERY = (
    "insert into deliveries (id, subscription_id, history_id, kind, body, state, due_at)"
    " select gen_random_uuid(), '{sent}', %s, 'message.sent', '', '%s', now() - interval '1 day'"
)

DAMAGE: dict[str, list[str]] = {
    "message_history": [f"update messages set state = 'failed' where id = {SENT}"],
    "message_fence": [f"update messages set fence = 0 where id = {SENT}"],
    "sent_without_handover": [
        f"delete from history where kind = 'message.sending' and message_id = {SENT}"
    ],
    "handed_over_twice": [
        _line("message.sending", SENT, detail='{{"fence": 2}}'),
        _line("message.sent", SENT),
    ],
    "sent_twice": [_line("message.sent", SENT)],
    "handed_over_after_no": [
        _line("prospect.opted_out"),
        _line("message.sending", SENT),
    ],
    "handed_over_after_end": [_line("enrollment.stopped"), _line("message.sending", SENT)],
    "handed_over_after_answer": [
        _line("enrollment.answered", detail='{{"step": "offer"}}'),
        _line("message.sending", SENT),
    ],
    "message_columns": [f"update messages set lease_owner = 'w' where id = {SENT}"],
    "lease_stale": [
        "update messages set state = 'leased', lease_owner = 'gone', lease_until = now() -"
        f" interval '1 hour' where id = {SENT}"
    ],
    "message_id": [f"update messages set rfc_message_id = '<x@sender.example>' where id = {SENT}"],
    "frozen_missing": [f"delete from frozen where message_id = {SENT}"],
    "frozen_message_id": [f"update frozen set payload = 'x' where message_id = {SENT}"],
    "frozen_recipient": [
        _OPEN,
        "update identities set address = 'new@prospect.example' where prospect_id = '{sent}'",
    ],
    "message_channel": [f"update messages set channel = 'slack' where id = {SENT}"],
    "open_after_end": [
        _OPEN,
        "update enrollments set state = 'stopped' where prospect_id = '{sent}'",
    ],
    "open_after_no": [_OPEN, "update prospects set opted_out_at = now() where id = '{sent}'"],
    "open_after_answer": [
        _OPEN,
        "update enrollments set answered_at = now() where prospect_id = '{sent}'",
    ],
    "step_twice": [
        "alter table messages drop constraint uq_messages_enrollment_id_step",
        _COPY_MESSAGE.replace("{step}", "step").replace("{of}", SENT),
    ],
    "thread": [f"update messages set thread_of = id where id = {SENT}"],
    "call_offer": [
        "drop index uq_messages_one_offer",
        "update messages set unlock_id = (select id from unlocks where prospect_id ="
        " '{booked}') where kind = 'call_offer' and prospect_id = '{interested}'",
    ],
    "confirmation": [
        "update messages set booking_id = gen_random_uuid() where id ="
        " (select id from messages where kind = 'invitation' limit 1)"
    ],
    "doubt_untold": [
        "update messages set settled_at = now() - interval '1 hour' where state = 'in_doubt'",
        "update tasks set state = 'cancelled' where kind = 'in_doubt'",
    ],
    "frozen_bytes": [f"update frozen set payload = payload || 'x' where message_id = {SENT}"],
    "version_digest": [
        "update sequence_versions set definition = jsonb_set(definition, '{{about}}', '\"x\"')"
    ],
    "enrollment_step": ["update enrollments set step = 'gone' where prospect_id = '{sent}'"],
    "enrollment_version": [
        "update enrollments set sequence_id = gen_random_uuid() where prospect_id = '{sent}'"
    ],
    "enrollment_undue": ["update enrollments set due_at = null where prospect_id = '{sent}'"],
    "half_advanced": [
        "update enrollments set state = 'sending', step = 'hello' where prospect_id = '{sent}'"
    ],
    "sending_nothing": [
        "update enrollments set state = 'sending', step = 'more' where prospect_id = '{sent}'"
    ],
    "active_with_open": [_OPEN],
    "stranded": [
        "update enrollments set state = 'held', entered_step_at = now() - interval '1 hour'"
        " where prospect_id = '{sent}'"
    ],
    "runs_after_no": ["update prospects set opted_out_at = now() where id = '{sent}'"],
    "enrollment_history": [
        "update enrollments set state = 'active', ended_at = null, due_at = now()"
        " where prospect_id = '{stop}'"
    ],
    "enrollment_end": ["update enrollments set ended_at = null where prospect_id = '{stop}'"],
    "opted_out_unsuppressed": ["delete from suppressions where prospect_id = '{stop}'"],
    "opt_out_lost": ["update prospects set opted_out_at = null where id = '{stop}'"],
    "opt_out_untold": ["update prospects set opted_out_at = now() where id = '{no}'"],
    "suppressed_not_opted_out": ["update prospects set opted_out_at = null where id = '{stop}'"],
    "address_hash": ["update identities set address_hash = 'x' where prospect_id = '{sent}'"],
    "bounced_unsuppressed": ["delete from suppressions where prospect_id = '{bounced}'"],
    "stop_not_heeded": ["update prospects set opted_out_at = null where id = '{stop}'"],
    "no_not_heeded": [
        "update enrollments set state = 'active', ended_at = null, due_at = now()"
        " where prospect_id = '{no}'"
    ],
    "engagement_owner": [
        f"update engagements set enrollment_id = {_ENROLLED % 'sent'} where prospect_id = '{{no}}'"
    ],
    "engagement_untold": [
        "delete from history where kind = 'engagement.recorded' and prospect_id = '{no}'"
    ],
    "unlock_grade": [
        "update engagements set grade = 'ambiguous', kind = 'click' where id ="
        " (select engagement_id from unlocks where prospect_id = '{interested}')"
    ],
    "unlock_revised": [
        "insert into engagements (id, prospect_id, kind, grade, revises, happened_at)"
        " select gen_random_uuid(), prospect_id, 'reply', 'machine', engagement_id, now()"
        " from unlocks where prospect_id = '{interested}'"
    ],
    "unlock_untold": [
        "delete from history where kind = 'enrollment.unlocked' and prospect_id = '{interested}'"
    ],
    "booking_unlock": ["update bookings set unlock_id = gen_random_uuid() where state = 'booked'"],
    "booking_overlap": [
        "alter table bookings drop constraint no_double_booking",
        "update bookings set state = 'booked', during = (select during from bookings where"
        " state = 'booked'), busy = (select busy from bookings where state = 'booked')"
        " where state = 'cancelled'",
    ],
    "booking_runs": [
        "update enrollments set state = 'active', due_at = now() where prospect_id = '{booked}'"
    ],
    "booking_untold": ["delete from history where kind = 'booking.made'"],
    "booking_unannounced": ["delete from messages where kind = 'host_invitation'"],
    "event_unread": [_NEW_EVENT.replace("'{}'", "'stored'")],
    "event_failed": [_NEW_EVENT.replace("'{}'", "'failed'")],
    "task_over": [
        "insert into tasks (id, kind, prospect_id, enrollment_id, title) select"
        " gen_random_uuid(), 'manual', prospect_id, id, 'x' from enrollments"
        " where prospect_id = '{no}'"
    ],
    "doubt_settled": ["update messages set state = 'sent' where state = 'in_doubt'"],
    "fan_out_ahead": [_SUBSCRIPTION % 1_000_000],
    "delivery_stuck": [
        _SUBSCRIPTION % 0,
        _DELIVERY % ("(select max(id) from history)", "pending"),
    ],
    "delivery_orphan": [_SUBSCRIPTION % 0, _DELIVERY % (1_000_000, "failed")],
    "delivery_unproved": [
        _SUBSCRIPTION % 0,
        _DELIVERY % ("(select max(id) from history)", "delivered"),
    ],
    "history_orphan": [f"delete from messages where id = {SENT}"],
    "sealed": ["update senders set secrets = 'sealed by another key'"],
    "lane_missing": ["delete from lanes"],
    "lane_used": ["update lanes set used = 1, day = (now() at time zone 'utc')::date"],
    "guards": ["alter table messages disable trigger message_transition"],
    "numbering": ["select setval('history_id_seq', 1)"],
}
