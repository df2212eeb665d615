"""The checks of `avtale verify` on messages that are one query: rows (id, prospect_id, found).

Every statement looks at the ids that it is given and nothing else, so that it is short, and can be
asked again about the few that it found.
"""

_M = "m.id = any(cast(:ids as uuid[]))"
_OPEN = "m.state in ('pending', 'retry_wait', 'leased')"
_STEPS = "m.kind in ('request', 'outreach', 'call_offer')"


def _row(found: str) -> str:
    return f"select m.id, m.prospect_id, jsonb_build_object({found}) as found from messages m"


def _after(kinds: str, more: str = "") -> str:
    """Hand-overs that come after the newest line of `kinds` about the same enrollment."""
    return f"""
{_row("'kind', m.kind, 'step', m.step, 'line', h.id")}
join history h on h.prospect_id = m.prospect_id and h.message_id = m.id
  and h.kind = 'message.sending'
where {_M} and {kinds} {more}"""


SQL: dict[str, str] = {
    "message_columns": f"""
{
        _row(
            "'state', m.state, 'leased', m.lease_owner is not null,"
            " 'handed', m.handed_at is not null, 'settled', m.settled_at is not null"
        )
    }
where {_M} and (
  (m.state = 'leased' and (m.lease_owner is null or m.lease_until is null))
  or (m.state not in ('leased', 'sending') and m.lease_owner is not null)
  or (m.state in ('sending', 'sent', 'in_doubt') and m.handed_at is null)
  or (m.state in ('sent', 'failed') and m.settled_at is null))""",
    "lease_stale": f"""
{_row("'state', m.state, 'lease_until', m.lease_until, 'handed_at', m.handed_at")}
where {_M} and (
  (m.state = 'leased' and m.lease_until < clock_timestamp() - interval '2 minutes')
  or (m.state = 'sending' and m.handed_at < clock_timestamp() - interval '2 minutes'
    - make_interval(secs => cast(:doubt_after as float))))""",
    "frozen_missing": f"""
{_row("'state', m.state")}
where {_M} and m.state in ('sending', 'sent', 'in_doubt')
  and not exists (select 1 from frozen f where f.message_id = m.id)
  and exists (select 1 from history h where h.prospect_id = m.prospect_id and h.message_id = m.id
    and h.kind = 'message.sending')""",
    "frozen_message_id": f"""
{_row("'state', m.state")}
join frozen f on f.message_id = m.id
where {_M} and m.channel = 'email'
  and position(convert_to(m.rfc_message_id, 'UTF8') in f.payload) = 0""",
    "frozen_recipient": f"""
{_row("'state', m.state")}
join frozen f on f.message_id = m.id join identities i on i.id = m.identity_id
where {_M} and {_OPEN} and f.recipient <> i.address""",
    "message_channel": f"""
{_row("'channel', m.channel, 'sender', s.channel, 'address', i.channel")}
join senders s on s.id = m.sender_id left join identities i on i.id = m.identity_id
where {_M} and (s.channel <> m.channel or i.channel <> m.channel
  or i.prospect_id <> m.prospect_id or (i.id is null and m.kind <> 'host_invitation'))""",
    "open_after_end": f"""
{_row("'state', m.state, 'enrollment', e.state, 'reason', e.stop_reason")}
join enrollments e on e.id = m.enrollment_id
where {_M} and {_OPEN} and {_STEPS} and e.state in ('stopped', 'finished')""",
    "open_after_no": f"""
{_row("'state', m.state, 'opted_out_at', p.opted_out_at")}
join prospects p on p.id = m.prospect_id
where {_M} and {_OPEN} and m.kind <> 'host_invitation' and p.opted_out_at is not null""",
    "open_after_answer": f"""
{_row("'state', m.state, 'answered_at', e.answered_at")}
join enrollments e on e.id = m.enrollment_id
where {_M} and {_OPEN} and m.kind in ('request', 'outreach') and e.answered_at is not null""",
    "step_twice": f"""
{_row("'step', m.step, 'other', o.id")}
join messages o on o.enrollment_id = m.enrollment_id and o.step = m.step and o.id <> m.id
where {_M}""",
    "thread": f"""
{_row("'thread_of', m.thread_of")}
left join messages t on t.id = m.thread_of
where {_M} and m.thread_of is not null
  and (t.id is null or t.id = m.id or t.prospect_id <> m.prospect_id)""",
    "call_offer": f"""
{_row("'unlock', m.unlock_id")}
left join unlocks u on u.id = m.unlock_id
where {_M} and m.kind = 'call_offer'
  and (u.id is null or u.enrollment_id <> m.enrollment_id or u.prospect_id <> m.prospect_id)""",
    "confirmation": f"""
{_row("'booking', m.booking_id")}
left join bookings b on b.id = m.booking_id left join unlocks u on u.id = b.unlock_id
where {_M} and m.kind in ('invitation', 'host_invitation')
  and (u.id is null or u.enrollment_id <> m.enrollment_id or b.prospect_id <> m.prospect_id)""",
    "doubt_untold": f"""
{_row("'handed_at', m.handed_at")}
where {_M} and m.state = 'in_doubt' and coalesce(m.settled_at, m.handed_at) < :before
  and not exists (select 1 from tasks t where t.message_id = m.id and t.kind = 'in_doubt'
    and t.state = 'open')""",
    # Opt-outs and hand-overs take the prospect's row first, so that lines of one person are
    # numbered in the order in which they were committed.
    "handed_over_after_no": _after(
        "m.kind <> 'host_invitation'",
        """and exists (select 1 from history n where n.prospect_id = m.prospect_id
  and n.kind = 'prospect.opted_out' and n.id < h.id)""",
    ),
    "handed_over_after_end": _after(
        _STEPS,
        """and (select k.kind from history k where k.prospect_id = m.prospect_id
  and k.enrollment_id = m.enrollment_id and k.id < h.id and k.kind in ('enrollment.created',
    'enrollment.waits', 'enrollment.moved', 'enrollment.resumed', 'enrollment.unlocked',
    'enrollment.answered', 'enrollment.stopped', 'enrollment.finished')
  order by k.id desc limit 1) in ('enrollment.stopped', 'enrollment.finished')""",
    ),
    "handed_over_after_answer": _after(
        "m.kind in ('request', 'outreach')",
        """and exists (select 1 from history n where n.prospect_id = m.prospect_id
  and n.enrollment_id = m.enrollment_id and n.id < h.id
  and n.kind in ('enrollment.unlocked', 'enrollment.answered')
  and jsonb_exists(n.detail, 'step'))""",
    ),
}
