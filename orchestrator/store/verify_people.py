"""The checks of `avtale verify` on enrollments, people, answers, calls, tasks and webhooks."""


def _row(table: str, found: str, prospect: str = "r.prospect_id", key: str = "id") -> str:
    return (
        f"select r.{key} as id, {prospect} as prospect_id, jsonb_build_object({found}) as found"
        f" from {table} r"
    )


_IDS = "r.id = any(cast(:ids as uuid[]))"
_RUNS = "('active', 'sending', 'held')"
_AT = "(r.step, r.step || '\\:request')"
_STANDING = "not exists (select 1 from engagements v where v.revises = r.id)"

SQL: dict[str, str] = {
    "frozen_bytes": f"""
{_row("frozen", "'bytes', octet_length(r.payload)", "m.prospect_id", "message_id")}
left join messages m on m.id = r.message_id
where r.message_id = any(cast(:ids as uuid[])) and r.sha256 <> sha256(r.payload)""",
    "enrollment_step": f"""
{_row("enrollments", "'step', r.step, 'state', r.state")}
join sequence_versions v on v.id = r.version_id
where {_IDS} and not (r.step = 'end' and r.state in ('active', 'finished'))
  and not jsonb_path_exists(v.definition, '$.steps[*] ? (@.id == $step)',
    jsonb_build_object('step', r.step))""",
    "enrollment_version": f"""
{_row("enrollments", "'sequence', r.sequence_id, 'version_of', v.sequence_id")}
left join sequence_versions v on v.id = r.version_id
where {_IDS} and v.sequence_id is distinct from r.sequence_id""",
    "enrollment_undue": f"""
{_row("enrollments", "'step', r.step")}
where {_IDS} and r.state = 'active' and r.due_at is null""",
    "half_advanced": f"""
{_row("enrollments", "'step', r.step, 'message', m.id")}
join messages m on m.enrollment_id = r.id and m.step in {_AT} and m.state = 'sent'
where {_IDS} and r.state = 'sending' and not exists (select 1 from messages o
  where o.enrollment_id = r.id and o.step in {_AT} and o.state <> 'sent')""",
    "sending_nothing": f"""
{_row("enrollments", "'step', r.step")}
where {_IDS} and r.state = 'sending' and not exists (select 1 from messages m
  where m.enrollment_id = r.id and m.step in {_AT})""",
    "active_with_open": f"""
{_row("enrollments", "'step', r.step, 'message', m.id, 'message_state', m.state")}
join messages m on m.enrollment_id = r.id and m.state in ('pending', 'retry_wait', 'leased')
  and m.kind in ('request', 'outreach', 'call_offer')
where {_IDS} and r.state = 'active'""",
    "stranded": f"""
{_row("enrollments", "'state', r.state, 'step', r.step, 'since', r.entered_step_at")}
where {_IDS} and r.state in ('sending', 'held') and r.entered_step_at < :before
  and not exists (select 1 from messages m where m.enrollment_id = r.id
    and (r.state = 'sending' or m.state = 'in_doubt')
    and m.kind in ('request', 'outreach', 'call_offer')
    and (m.state in ('pending', 'retry_wait', 'leased', 'sending')
      or coalesce(m.settled_at, m.handed_at, m.due_at) >= :before))
  and not exists (select 1 from tasks t where t.prospect_id = r.prospect_id and t.state = 'open'
    and (t.enrollment_id = r.id or t.kind = 'unclear_answer'))""",
    "runs_after_no": f"""
{_row("enrollments", "'state', r.state, 'opted_out_at', p.opted_out_at")}
join prospects p on p.id = r.prospect_id
where {_IDS} and r.state in {_RUNS} and p.opted_out_at is not null""",
    # Interest that came late and was followed by a no is told as an unlock that moved nothing.
    "enrollment_history": f"""
{_row("enrollments", "'state', r.state, 'history', l.kind")}
left join lateral (select k.kind from history k where k.prospect_id = r.prospect_id
  and k.enrollment_id = r.id and k.kind in ('enrollment.created', 'enrollment.waits',
    'enrollment.moved', 'enrollment.resumed', 'enrollment.unlocked', 'enrollment.answered',
    'enrollment.stopped', 'enrollment.finished')
  order by k.id desc limit 1) l on true
where {_IDS} and case when r.state in {_RUNS}
  then l.kind in ('enrollment.stopped', 'enrollment.finished')
  else coalesce(l.kind not in ('enrollment.stopped', 'enrollment.finished',
    'enrollment.unlocked', 'enrollment.answered'), true) end""",
    "enrollment_end": f"""
{_row("enrollments", "'state', r.state")}
where {_IDS} and (r.state in ('stopped', 'finished')) <> (r.ended_at is not null)""",
    "opted_out_unsuppressed": f"""
{_row("prospects", "'opted_out_at', r.opted_out_at", "r.id")}
where {_IDS} and r.opted_out_at is not null
  and exists (select 1 from identities i where i.prospect_id = r.id)
  and not exists (select 1 from identities i join suppressions x
    on x.address_hash = i.address_hash and x.scope = 'person' where i.prospect_id = r.id)""",
    "opt_out_lost": f"""
{_row("prospects", "'opted_out_at', null", "r.id")}
where {_IDS} and r.opted_out_at is null and exists (select 1 from history h
  where h.prospect_id = r.id and h.kind = 'prospect.opted_out')""",
    "opt_out_untold": f"""
{_row("prospects", "'opted_out_at', r.opted_out_at", "r.id")}
where {_IDS} and r.opted_out_at is not null and not exists (select 1 from history h
  where h.prospect_id = r.id and h.kind = 'prospect.opted_out')""",
    "suppressed_not_opted_out": f"""
{_row("suppressions", "'reason', r.reason, 'channel', r.channel")}
join prospects p on p.id = r.prospect_id
where {_IDS} and r.scope = 'person' and p.opted_out_at is null""",
    "bounced_unsuppressed": f"""
{_row("identities", "'channel', r.channel")}
where {_IDS} and r.state = 'bounced' and not exists (select 1 from suppressions x
  where x.address_hash = r.address_hash)""",
    "stop_not_heeded": f"""
{_row("engagements", "'kind', r.kind")}
join prospects p on p.id = r.prospect_id
where {_IDS} and r.grade = 'human' and r.meaning = 'stop' and {_STANDING}
  and p.opted_out_at is null""",
    "no_not_heeded": f"""
{_row("engagements", "'kind', r.kind, 'enrollment', e.id, 'state', e.state")}
join enrollments e on e.id = r.enrollment_id
where {_IDS} and r.grade = 'human' and r.meaning = 'no' and {_STANDING} and e.state in {_RUNS}
  and not exists (select 1 from engagements o where o.prospect_id = r.prospect_id
    and o.grade = 'human' and o.meaning = 'interested')""",
    "engagement_owner": f"""
{_row("engagements", "'enrollment', r.enrollment_id, 'revises', r.revises")}
left join enrollments e on e.id = r.enrollment_id left join engagements o on o.id = r.revises
where {_IDS} and (e.prospect_id <> r.prospect_id or o.prospect_id <> r.prospect_id)""",
    "engagement_untold": f"""
{_row("engagements", "'kind', r.kind, 'grade', r.grade")}
where {_IDS} and not exists (select 1 from history h where h.prospect_id = r.prospect_id
  and h.kind in ('engagement.recorded', 'booking.made')
  and h.detail->>'engagement' = cast(r.id as text))""",
    "unlock_grade": f"""
{_row("unlocks", "'engagement', r.engagement_id, 'grade', g.grade, 'kind', g.kind")}
left join engagements g on g.id = r.engagement_id
left join enrollments e on e.id = r.enrollment_id
where {_IDS} and (r.grade <> 'human' or coalesce(g.grade <> 'human', true)
  or g.kind in ('open', 'click', 'mail') or g.prospect_id <> r.prospect_id
  or coalesce(e.prospect_id <> r.prospect_id, true))""",
    "unlock_revised": f"""
{_row("unlocks", "'engagement', r.engagement_id, 'revised_by', v.id, 'grade', v.grade")}
join engagements v on v.revises = r.engagement_id and v.grade <> 'human'
where {_IDS}""",
    "unlock_untold": f"""
{_row("unlocks", "'enrollment', r.enrollment_id")}
where {_IDS} and not exists (select 1 from history h where h.prospect_id = r.prospect_id
  and h.kind = 'enrollment.unlocked' and h.detail->>'unlock' = cast(r.id as text))""",
    "booking_unlock": f"""
{_row("bookings", "'unlock', r.unlock_id")}
left join unlocks u on u.id = r.unlock_id
where {_IDS} and u.prospect_id is distinct from r.prospect_id""",
    "booking_overlap": f"""
{_row("bookings", "'other', o.id, 'from', lower(r.during)")}
join bookings o on o.host_id = r.host_id and o.id <> r.id and o.state = 'booked'
  and o.busy && r.busy
where {_IDS} and r.state = 'booked'""",
    "booking_runs": f"""
{_row("bookings", "'enrollment', e.id, 'state', e.state")}
join unlocks u on u.id = r.unlock_id join enrollments e on e.id = u.enrollment_id
where {_IDS} and r.state = 'booked' and e.state in {_RUNS}""",
    "booking_untold": f"""
{_row("bookings", "'state', r.state")}
where {_IDS} and not exists (select 1 from history h where h.prospect_id = r.prospect_id
  and h.kind = 'booking.made' and h.detail->>'booking' = cast(r.id as text))""",
    "booking_unannounced": f"""
{_row("bookings", "'state', r.state, 'revision', r.revision")}
where {_IDS} and not exists (select 1 from messages m where m.booking_id = r.id
    and m.kind = 'host_invitation'
    and m.step = concat('booking\\:', r.id, '\\:', r.revision, '\\:host'))
  and not exists (select 1 from history h where h.prospect_id = r.prospect_id
    and h.kind = 'booking.not_told' and h.detail->>'to' = 'host'
    and h.detail->>'booking' = cast(r.id as text))""",
    "event_unread": f"""
{_row("provider_events", "'source', r.source, 'kind', r.kind, 'received_at', r.received_at")}
where {_IDS} and r.state = 'stored' and r.received_at < :before""",
    "event_failed": f"""
{_row("provider_events", "'source', r.source, 'kind', r.kind, 'attempt', r.attempt")}
where {_IDS} and r.state = 'failed'""",
    "task_over": f"""
{_row("tasks", "'kind', r.kind, 'enrollment', e.id, 'state', e.state")}
join enrollments e on e.id = r.enrollment_id
where {_IDS} and r.state = 'open' and e.state in ('stopped', 'finished')
  and r.kind in ('manual', 'missing_fact', 'missing_zone', 'stranded', 'late')""",
    "doubt_settled": f"""
{_row("tasks", "'message', m.id, 'state', m.state")}
join messages m on m.id = r.message_id
where {_IDS} and r.state = 'open' and r.kind = 'in_doubt' and m.state <> 'in_doubt'""",
    "fan_out_ahead": f"""
{_row("subscriptions", "'after', r.after_history, 'newest', n.id", "cast(null as uuid)")}
cross join (select coalesce(max(id), 0) as id from history) n
where {_IDS} and r.after_history > n.id""",
    "delivery_stuck": f"""
{_row("deliveries", "'kind', r.kind, 'due_at', r.due_at", "cast(null as uuid)")}
join subscriptions s on s.id = r.subscription_id and s.enabled
where {_IDS} and r.state = 'pending' and r.due_at < :before
  and (r.lease_until is null or r.lease_until < :before)""",
    "delivery_orphan": f"""
{_row("deliveries", "'history', r.history_id", "cast(null as uuid)")}
where {_IDS} and r.history_id > 0
  and not exists (select 1 from history h where h.id = r.history_id)""",
    "delivery_unproved": f"""
{_row("deliveries", "'attempt', r.attempt", "cast(null as uuid)")}
where {_IDS} and r.state = 'delivered' and not exists (select 1 from attempts a
  where a.delivery_id = r.id and a.status between 200 and 299)""",
    "history_orphan": f"""
{_row("history", "'kind', r.kind, 'message', r.message_id, 'enrollment', r.enrollment_id")}
left join messages m on m.id = r.message_id left join enrollments e on e.id = r.enrollment_id
where r.id = any(cast(:ids as bigint[]))
  and exists (select 1 from prospects p where p.id = r.prospect_id)
  and ((r.message_id is not null and m.id is null)
    or (r.enrollment_id is not null and e.id is null))""",
    "lane_missing": f"""
{_row("senders", "'name', r.name", "cast(null as uuid)")}
where {_IDS} and not exists (select 1 from lanes l where l.sender_id = r.id)""",
    # The sandbox's clock runs ahead of the one that hand-overs are stamped by. Five minutes: what
    # was claimed before midnight may leave after it.
    "lane_used": f"""
{_row("senders", "'counted', l.used, 'left', n.sent, 'day', l.day", "cast(null as uuid)")}
join lanes l on l.sender_id = r.id cross join clock c
join (select m.sender_id, count(*) as sent
  from messages m join lanes d on d.sender_id = m.sender_id join senders s on s.id = m.sender_id
  where m.sender_id = any(cast(:ids as uuid[])) and m.kind in ('request', 'outreach', 'call_offer')
    and m.handed_at >= (cast(d.day as timestamp) + interval '5 minutes') at time zone s.zone
    and m.handed_at < (cast(d.day as timestamp) + interval '1 day') at time zone s.zone
    -- not what a restore took for handed over
    and exists (select 1 from history h where h.prospect_id = m.prospect_id
      and h.message_id = m.id and h.kind = 'message.sending')
  group by m.sender_id) n on n.sender_id = r.id
where {_IDS} and c.ahead = interval '0' and n.sent > l.used""",
}
