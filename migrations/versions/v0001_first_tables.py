"""The first tables."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision: str = '0001'
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table('api_keys',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('secret_hash', sa.LargeBinary(), nullable=False),
    sa.Column('scopes', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_keys')),
    sa.UniqueConstraint('name', name=op.f('uq_api_keys_name')),
    sa.UniqueConstraint('secret_hash', name=op.f('uq_api_keys_secret_hash'))
    )
    op.create_table('clock',
    sa.Column('id', sa.Integer(), server_default='1', nullable=False),
    sa.Column('ahead', sa.Interval(), server_default=sa.text("interval '0'"), nullable=False),
    sa.CheckConstraint('id = 1', name=op.f('ck_clock_one_row')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_clock'))
    )
    op.create_table('companies',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('domain', sa.Text(), nullable=True),
    sa.Column('country', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_companies')),
    sa.UniqueConstraint('key', name=op.f('uq_companies_key'))
    )
    op.create_table('heartbeats',
    sa.Column('worker', sa.Text(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('beat_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('canary_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('detail', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.PrimaryKeyConstraint('worker', name=op.f('pk_heartbeats'))
    )
    op.create_table('history',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('prospect_id', sa.Uuid(), nullable=True),
    sa.Column('enrollment_id', sa.Uuid(), nullable=True),
    sa.Column('message_id', sa.Uuid(), nullable=True),
    sa.Column('detail', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_history'))
    )
    op.create_index('ix_history_prospect', 'history', ['prospect_id', 'id'], unique=False)
    op.create_table('hosts',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('number', sa.Integer(), sa.Identity(always=True), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('display_name', sa.Text(), nullable=False),
    sa.Column('email', sa.Text(), nullable=False),
    sa.Column('zone', sa.Text(), nullable=False),
    sa.Column('weekly', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('slot_minutes', sa.Integer(), server_default='30', nullable=False),
    sa.Column('buffer_before_minutes', sa.Integer(), server_default='0', nullable=False),
    sa.Column('buffer_after_minutes', sa.Integer(), server_default='10', nullable=False),
    sa.Column('notice_minutes', sa.Integer(), server_default='240', nullable=False),
    sa.Column('horizon_days', sa.Integer(), server_default='21', nullable=False),
    sa.Column('location', sa.Text(), server_default='', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_hosts')),
    sa.UniqueConstraint('id', 'number', name=op.f('uq_hosts_id_number')),
    sa.UniqueConstraint('name', name=op.f('uq_hosts_name')),
    sa.UniqueConstraint('number', name=op.f('uq_hosts_number'))
    )
    op.create_table('senders',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('address', sa.Text(), nullable=False),
    sa.Column('display_name', sa.Text(), server_default='', nullable=False),
    sa.Column('settings', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('secrets', sa.LargeBinary(), nullable=True),
    sa.Column('daily_cap', sa.Integer(), server_default='50', nullable=False),
    sa.Column('gap_seconds', sa.Integer(), server_default='90', nullable=False),
    sa.Column('gap_jitter_seconds', sa.Integer(), server_default='60', nullable=False),
    sa.Column('zone', sa.Text(), server_default='UTC', nullable=False),
    sa.Column('hours', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('paused_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('pause_reason', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('daily_cap >= 0 and gap_seconds >= 0 and gap_jitter_seconds >= 0', name=op.f('ck_senders_pace')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_senders')),
    sa.UniqueConstraint('channel', 'address', name=op.f('uq_senders_channel_address')),
    sa.UniqueConstraint('name', name=op.f('uq_senders_name'))
    )
    op.create_table('sequences',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), server_default='active', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("state in ('active', 'paused', 'archived')", name=op.f('ck_sequences_state')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sequences')),
    sa.UniqueConstraint('name', name=op.f('uq_sequences_name'))
    )
    op.create_table('suppressions',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('scope', sa.Text(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('address_hash', sa.LargeBinary(), nullable=False),
    sa.Column('prospect_id', sa.Uuid(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("scope in ('person', 'address')", name=op.f('ck_suppressions_scope')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_suppressions')),
    sa.UniqueConstraint('address_hash', 'scope', name=op.f('uq_suppressions_address_hash_scope'))
    )
    op.create_index(op.f('ix_suppressions_prospect_id'), 'suppressions', ['prospect_id'], unique=False)
    op.create_table('host_exceptions',
    sa.Column('host_id', sa.Uuid(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('hours', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('note', sa.Text(), server_default='', nullable=False),
    sa.ForeignKeyConstraint(['host_id'], ['hosts.id'], name=op.f('fk_host_exceptions_host_id')),
    sa.PrimaryKeyConstraint('host_id', 'day', name=op.f('pk_host_exceptions'))
    )
    op.create_table('idempotency_keys',
    sa.Column('api_key_id', sa.Uuid(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('request_hash', sa.LargeBinary(), nullable=False),
    sa.Column('status', sa.Integer(), nullable=True),
    sa.Column('body', sa.LargeBinary(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['api_key_id'], ['api_keys.id'], name=op.f('fk_idempotency_keys_api_key_id')),
    sa.PrimaryKeyConstraint('api_key_id', 'key', name=op.f('pk_idempotency_keys'))
    )
    op.create_index(op.f('ix_idempotency_keys_created_at'), 'idempotency_keys', ['created_at'], unique=False)
    op.create_table('lanes',
    sa.Column('sender_id', sa.Uuid(), nullable=False),
    sa.Column('free_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('parked_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('park_reason', sa.Text(), nullable=True),
    sa.Column('failures', sa.Integer(), server_default='0', nullable=False),
    sa.Column('day', sa.Date(), nullable=True),
    sa.Column('used', sa.Integer(), server_default='0', nullable=False),
    sa.ForeignKeyConstraint(['sender_id'], ['senders.id'], name=op.f('fk_lanes_sender_id')),
    sa.PrimaryKeyConstraint('sender_id', name=op.f('pk_lanes'))
    )
    op.create_table('mail_cursors',
    sa.Column('sender_id', sa.Uuid(), nullable=False),
    sa.Column('folder', sa.Text(), nullable=False),
    sa.Column('uidvalidity', sa.BigInteger(), nullable=False),
    sa.Column('last_uid', sa.BigInteger(), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['sender_id'], ['senders.id'], name=op.f('fk_mail_cursors_sender_id')),
    sa.PrimaryKeyConstraint('sender_id', 'folder', name=op.f('pk_mail_cursors'))
    )
    op.create_table('prospects',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('company_id', sa.Uuid(), nullable=True),
    sa.Column('first_name', sa.Text(), server_default='', nullable=False),
    sa.Column('last_name', sa.Text(), server_default='', nullable=False),
    sa.Column('title', sa.Text(), nullable=True),
    sa.Column('language', sa.Text(), nullable=True),
    sa.Column('country', sa.Text(), nullable=True),
    sa.Column('zone', sa.Text(), nullable=True),
    sa.Column('phone', sa.Text(), nullable=True),
    sa.Column('preferred_channel', sa.Text(), nullable=True),
    sa.Column('not_before', sa.DateTime(timezone=True), nullable=True),
    sa.Column('opted_out_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('paused_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('attributes', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['company_id'], ['companies.id'], name=op.f('fk_prospects_company_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_prospects'))
    )
    op.create_index(op.f('ix_prospects_company_id'), 'prospects', ['company_id'], unique=False)
    op.create_index('ix_prospects_created_at_id', 'prospects', ['created_at', 'id'], unique=False)
    op.create_table('sequence_versions',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('sequence_id', sa.Uuid(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('definition', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('digest', sa.Text(), nullable=False),
    sa.Column('published_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['sequence_id'], ['sequences.id'], name=op.f('fk_sequence_versions_sequence_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sequence_versions')),
    sa.UniqueConstraint('sequence_id', 'digest', name=op.f('uq_sequence_versions_sequence_id_digest')),
    sa.UniqueConstraint('sequence_id', 'number', name=op.f('uq_sequence_versions_sequence_id_number'))
    )
    op.create_table('enrollments',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('prospect_id', sa.Uuid(), nullable=False),
    sa.Column('sequence_id', sa.Uuid(), nullable=False),
    sa.Column('version_id', sa.Uuid(), nullable=False),
    sa.Column('sender_id', sa.Uuid(), nullable=False),
    sa.Column('state', sa.Text(), server_default='active', nullable=False),
    sa.Column('step', sa.Text(), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('entered_step_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('answered_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('stop_reason', sa.Text(), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("state in ('active', 'sending', 'held', 'stopped', 'finished')", name=op.f('ck_enrollments_state')),
    sa.ForeignKeyConstraint(['prospect_id'], ['prospects.id'], name=op.f('fk_enrollments_prospect_id')),
    sa.ForeignKeyConstraint(['sender_id'], ['senders.id'], name=op.f('fk_enrollments_sender_id')),
    sa.ForeignKeyConstraint(['sequence_id'], ['sequences.id'], name=op.f('fk_enrollments_sequence_id')),
    sa.ForeignKeyConstraint(['version_id'], ['sequence_versions.id'], name=op.f('fk_enrollments_version_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_enrollments')),
    sa.UniqueConstraint('id', 'prospect_id', name=op.f('uq_enrollments_id_prospect_id')),
    sa.UniqueConstraint('prospect_id', 'sequence_id', name=op.f('uq_enrollments_prospect_id_sequence_id'))
    )
    op.create_index('ix_enrollments_due', 'enrollments', ['due_at'], unique=False, postgresql_where=sa.text("state = 'active'"))
    op.create_index(op.f('ix_enrollments_sender_id'), 'enrollments', ['sender_id'], unique=False)
    op.create_index('ix_enrollments_sequence_state', 'enrollments', ['sequence_id', 'state'], unique=False)
    op.create_index('ix_enrollments_waiting', 'enrollments', ['prospect_id'], unique=False, postgresql_where=sa.text("state in ('sending', 'held')"))
    op.create_index(op.f('ix_enrollments_version_id'), 'enrollments', ['version_id'], unique=False)
    op.create_table('facts',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('prospect_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('value', sa.Text(), nullable=False),
    sa.Column('source', sa.Text(), nullable=True),
    sa.Column('found_on', sa.Date(), nullable=True),
    sa.Column('recorded_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['prospect_id'], ['prospects.id'], name=op.f('fk_facts_prospect_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_facts')),
    sa.UniqueConstraint('prospect_id', 'name', 'value', 'source', 'found_on', name=op.f('uq_facts_prospect_id_name_value_source_found_on'), postgresql_nulls_not_distinct=True)
    )
    op.create_table('identities',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('prospect_id', sa.Uuid(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('address', sa.Text(), nullable=False),
    sa.Column('address_hash', sa.LargeBinary(), nullable=False),
    sa.Column('state', sa.Text(), server_default='usable', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("state in ('usable', 'bounced')", name=op.f('ck_identities_state')),
    sa.ForeignKeyConstraint(['prospect_id'], ['prospects.id'], name=op.f('fk_identities_prospect_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_identities')),
    sa.UniqueConstraint('channel', 'address', name=op.f('uq_identities_channel_address')),
    sa.UniqueConstraint('id', 'prospect_id', name=op.f('uq_identities_id_prospect_id'))
    )
    op.create_index(op.f('ix_identities_address_hash'), 'identities', ['address_hash'], unique=False)
    op.create_index(op.f('ix_identities_prospect_id'), 'identities', ['prospect_id'], unique=False)
    op.create_table('messages',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('enrollment_id', sa.Uuid(), nullable=False),
    sa.Column('prospect_id', sa.Uuid(), nullable=False),
    sa.Column('step', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), server_default='outreach', nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('sender_id', sa.Uuid(), nullable=False),
    sa.Column('identity_id', sa.Uuid(), nullable=True),
    sa.Column('unlock_id', sa.Uuid(), nullable=True),
    sa.Column('booking_id', sa.Uuid(), nullable=True),
    sa.Column('thread_of', sa.Uuid(), nullable=True),
    sa.Column('state', sa.Text(), server_default='pending', nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('attempt', sa.Integer(), server_default='0', nullable=False),
    sa.Column('fence', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('lease_owner', sa.Text(), nullable=True),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('rfc_message_id', sa.Text(), nullable=False),
    sa.Column('handed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('settled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('provider_ref', sa.Text(), nullable=True),
    sa.Column('last_class', sa.Text(), nullable=True),
    sa.Column('last_detail', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("kind <> 'call_offer' or unlock_id is not null", name=op.f('ck_messages_offer_needs_unlock')),
    sa.CheckConstraint("kind = 'host_invitation' or identity_id is not null", name=op.f('ck_messages_addressed')),
    sa.CheckConstraint("kind in ('outreach', 'call_offer', 'invitation', 'host_invitation')", name=op.f('ck_messages_kind')),
    sa.CheckConstraint("kind not in ('invitation', 'host_invitation') or booking_id is not null", name=op.f('ck_messages_invitation_needs_booking')),
    sa.CheckConstraint("state in ('pending', 'leased', 'sending', 'sent', 'retry_wait', 'failed', 'in_doubt', 'abandoned', 'cancelled', 'suppressed')", name=op.f('ck_messages_state')),
    sa.ForeignKeyConstraint(['enrollment_id', 'prospect_id'], ['enrollments.id', 'enrollments.prospect_id'], name=op.f('fk_messages_enrollment_id_prospect_id')),
    sa.ForeignKeyConstraint(['identity_id', 'prospect_id'], ['identities.id', 'identities.prospect_id'], name=op.f('fk_messages_identity_id_prospect_id')),
    sa.ForeignKeyConstraint(['sender_id'], ['senders.id'], name=op.f('fk_messages_sender_id')),
    sa.ForeignKeyConstraint(['thread_of'], ['messages.id'], name=op.f('fk_messages_thread_of')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_messages')),
    sa.UniqueConstraint('enrollment_id', 'step', name=op.f('uq_messages_enrollment_id_step')),
    sa.UniqueConstraint('id', 'prospect_id', name=op.f('uq_messages_id_prospect_id')),
    sa.UniqueConstraint('rfc_message_id', name=op.f('uq_messages_rfc_message_id'))
    )
    op.create_index(op.f('ix_messages_booking_id'), 'messages', ['booking_id'], unique=False)
    op.create_index('ix_messages_claim', 'messages', ['sender_id', 'due_at'], unique=False, postgresql_where=sa.text("state in ('pending', 'retry_wait')"))
    op.create_index('ix_messages_due', 'messages', ['due_at'], unique=False, postgresql_where=sa.text("state in ('pending', 'retry_wait')"))
    op.create_index('ix_messages_confirmations', 'messages', ['due_at'], unique=False, postgresql_where=sa.text("kind in ('invitation', 'host_invitation') and state in ('pending', 'retry_wait')"))
    op.create_index('ix_messages_identity', 'messages', ['identity_id'], unique=False)
    op.create_index('ix_messages_in_doubt', 'messages', ['handed_at'], unique=False, postgresql_where=sa.text("state = 'in_doubt'"))
    op.create_index('ix_messages_in_flight', 'messages', ['lease_until'], unique=False, postgresql_where=sa.text("state in ('leased', 'sending')"))
    op.create_index(op.f('ix_messages_prospect_id'), 'messages', ['prospect_id'], unique=False)
    op.create_index(op.f('ix_messages_thread_of'), 'messages', ['thread_of'], unique=False)
    op.create_index('uq_messages_one_offer', 'messages', ['unlock_id'], unique=True, postgresql_where=sa.text("kind = 'call_offer'"))
    op.create_table('frozen',
    sa.Column('message_id', sa.Uuid(), nullable=False),
    sa.Column('recipient', sa.Text(), nullable=False),
    sa.Column('subject', sa.Text(), server_default='', nullable=False),
    sa.Column('text', sa.Text(), server_default='', nullable=False),
    sa.Column('payload', sa.LargeBinary(), nullable=False),
    sa.Column('sha256', sa.LargeBinary(), nullable=False),
    sa.Column('frozen_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['message_id'], ['messages.id'], name=op.f('fk_frozen_message_id')),
    sa.PrimaryKeyConstraint('message_id', name=op.f('pk_frozen'))
    )
    op.create_table('links',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('message_id', sa.Uuid(), nullable=False),
    sa.Column('url', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['message_id'], ['messages.id'], name=op.f('fk_links_message_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_links'))
    )
    op.create_index(op.f('ix_links_message_id'), 'links', ['message_id'], unique=False)
    op.create_table('provider_events',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('external_id', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('raw', sa.LargeBinary(), nullable=False),
    sa.Column('detail', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('state', sa.Text(), server_default='stored', nullable=False),
    sa.Column('attempt', sa.Integer(), server_default='0', nullable=False),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('prospect_id', sa.Uuid(), nullable=True),
    sa.Column('message_id', sa.Uuid(), nullable=True),
    sa.Column('received_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('handled_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state in ('stored', 'handled', 'unmatched', 'failed')", name=op.f('ck_provider_events_state')),
    sa.ForeignKeyConstraint(['message_id'], ['messages.id'], name=op.f('fk_provider_events_message_id')),
    sa.ForeignKeyConstraint(['prospect_id'], ['prospects.id'], name=op.f('fk_provider_events_prospect_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_provider_events')),
    sa.UniqueConstraint('source', 'external_id', name=op.f('uq_provider_events_source_external_id'))
    )
    op.create_index(op.f('ix_provider_events_message_id'), 'provider_events', ['message_id'], unique=False)
    op.create_index('ix_provider_events_open', 'provider_events', ['received_at'], unique=False, postgresql_where=sa.text("state = 'stored'"))
    op.create_index(op.f('ix_provider_events_prospect_id'), 'provider_events', ['prospect_id'], unique=False)
    op.create_index('ix_provider_events_unmatched', 'provider_events', ['received_at'], unique=False, postgresql_where=sa.text("state = 'unmatched'"))
    op.create_table('tasks',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('prospect_id', sa.Uuid(), nullable=True),
    sa.Column('enrollment_id', sa.Uuid(), nullable=True),
    sa.Column('message_id', sa.Uuid(), nullable=True),
    sa.Column('step', sa.Text(), nullable=True),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('detail', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('state', sa.Text(), server_default='open', nullable=False),
    sa.Column('outcome', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state in ('open', 'done', 'cancelled')", name=op.f('ck_tasks_state')),
    sa.ForeignKeyConstraint(['enrollment_id'], ['enrollments.id'], name=op.f('fk_tasks_enrollment_id')),
    sa.ForeignKeyConstraint(['message_id'], ['messages.id'], name=op.f('fk_tasks_message_id')),
    sa.ForeignKeyConstraint(['prospect_id'], ['prospects.id'], name=op.f('fk_tasks_prospect_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_tasks'))
    )
    op.create_index(op.f('ix_tasks_enrollment_id'), 'tasks', ['enrollment_id'], unique=False)
    op.create_index(op.f('ix_tasks_message_id'), 'tasks', ['message_id'], unique=False)
    op.create_index('ix_tasks_open', 'tasks', ['created_at'], unique=False, postgresql_where=sa.text("state = 'open'"))
    op.create_index(op.f('ix_tasks_prospect_id'), 'tasks', ['prospect_id'], unique=False)
    op.create_index('uq_tasks_one_open', 'tasks', ['enrollment_id', 'step', 'kind'], unique=True, postgresql_where=sa.text("state = 'open' and enrollment_id is not null and kind <> 'unclear_answer'"))
    op.create_table('engagements',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('prospect_id', sa.Uuid(), nullable=False),
    sa.Column('enrollment_id', sa.Uuid(), nullable=True),
    sa.Column('message_id', sa.Uuid(), nullable=True),
    sa.Column('provider_event_id', sa.Uuid(), nullable=True),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('grade', sa.Text(), nullable=False),
    sa.Column('meaning', sa.Text(), nullable=True),
    sa.Column('reasons', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
    sa.Column('revises', sa.Uuid(), nullable=True),
    sa.Column('happened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("grade <> 'human' or kind in ('reply', 'tap', 'form', 'booking', 'reaction', 'direct_message', 'acceptance')", name=op.f('ck_engagements_human_kind')),
    sa.CheckConstraint("grade in ('machine', 'ambiguous', 'human')", name=op.f('ck_engagements_grade')),
    sa.ForeignKeyConstraint(['enrollment_id'], ['enrollments.id'], name=op.f('fk_engagements_enrollment_id')),
    sa.ForeignKeyConstraint(['message_id'], ['messages.id'], name=op.f('fk_engagements_message_id')),
    sa.ForeignKeyConstraint(['prospect_id'], ['prospects.id'], name=op.f('fk_engagements_prospect_id')),
    sa.ForeignKeyConstraint(['provider_event_id'], ['provider_events.id'], name=op.f('fk_engagements_provider_event_id')),
    sa.ForeignKeyConstraint(['revises'], ['engagements.id'], name=op.f('fk_engagements_revises')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_engagements')),
    sa.UniqueConstraint('id', 'prospect_id', 'grade', name=op.f('uq_engagements_id_prospect_id_grade'))
    )
    op.create_index(op.f('ix_engagements_enrollment_id'), 'engagements', ['enrollment_id'], unique=False)
    op.create_index(op.f('ix_engagements_message_id'), 'engagements', ['message_id'], unique=False)
    op.create_index(op.f('ix_engagements_prospect_id'), 'engagements', ['prospect_id'], unique=False)
    op.create_index(op.f('ix_engagements_provider_event_id'), 'engagements', ['provider_event_id'], unique=False)
    op.create_index(op.f('ix_engagements_revises'), 'engagements', ['revises'], unique=False)
    op.create_table('unlocks',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('engagement_id', sa.Uuid(), nullable=False),
    sa.Column('prospect_id', sa.Uuid(), nullable=False),
    sa.Column('grade', sa.Text(), server_default='human', nullable=False),
    sa.Column('enrollment_id', sa.Uuid(), nullable=False),
    sa.Column('host_id', sa.Uuid(), nullable=False),
    sa.Column('minutes', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("grade = 'human'", name=op.f('ck_unlocks_human')),
    sa.CheckConstraint('minutes between 5 and 480', name=op.f('ck_unlocks_minutes')),
    sa.ForeignKeyConstraint(['engagement_id', 'prospect_id', 'grade'], ['engagements.id', 'engagements.prospect_id', 'engagements.grade'], name=op.f('fk_unlocks_engagement_id_prospect_id_grade')),
    sa.ForeignKeyConstraint(['enrollment_id', 'prospect_id'], ['enrollments.id', 'enrollments.prospect_id'], name=op.f('fk_unlocks_enrollment_id_prospect_id')),
    sa.ForeignKeyConstraint(['host_id'], ['hosts.id'], name=op.f('fk_unlocks_host_id')),
    sa.ForeignKeyConstraint(['prospect_id'], ['prospects.id'], name=op.f('fk_unlocks_prospect_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_unlocks')),
    sa.UniqueConstraint('engagement_id', name=op.f('uq_unlocks_engagement_id')),
    sa.UniqueConstraint('enrollment_id', name=op.f('uq_unlocks_enrollment_id')),
    sa.UniqueConstraint('id', 'prospect_id', name=op.f('uq_unlocks_id_prospect_id'))
    )
    op.create_index(op.f('ix_unlocks_host_id'), 'unlocks', ['host_id'], unique=False)
    op.create_index(op.f('ix_unlocks_prospect_id'), 'unlocks', ['prospect_id'], unique=False)
    op.create_table('bookings',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('unlock_id', sa.Uuid(), nullable=False),
    sa.Column('prospect_id', sa.Uuid(), nullable=False),
    sa.Column('host_id', sa.Uuid(), nullable=False),
    sa.Column('host_number', sa.Integer(), nullable=False),
    sa.Column('during', postgresql.TSTZRANGE(), nullable=False),
    sa.Column('busy', postgresql.TSTZRANGE(), nullable=False),
    sa.Column('state', sa.Text(), server_default='booked', nullable=False),
    sa.Column('uid', sa.Text(), nullable=False),
    sa.Column('revision', sa.Integer(), server_default='0', nullable=False),
    sa.Column('note', sa.Text(), server_default='', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    postgresql.ExcludeConstraint((sa.text("int4range(host_number, host_number, '[]')"), '&&'), (sa.column('busy'), '&&'), where=sa.text("state = 'booked'"), using='gist', name='no_double_booking'),
    sa.CheckConstraint("state in ('booked', 'cancelled')", name=op.f('ck_bookings_state')),
    sa.CheckConstraint('busy @> during and not isempty(during)', name=op.f('ck_bookings_busy_covers')),
    sa.ForeignKeyConstraint(['host_id', 'host_number'], ['hosts.id', 'hosts.number'], name=op.f('fk_bookings_host_id_host_number')),
    sa.ForeignKeyConstraint(['unlock_id', 'prospect_id'], ['unlocks.id', 'unlocks.prospect_id'], name=op.f('fk_bookings_unlock_id_prospect_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_bookings')),
    sa.UniqueConstraint('uid', name=op.f('uq_bookings_uid'))
    )
    op.create_index('ix_bookings_host_id', 'bookings', ['host_id'], unique=False)
    op.create_index(op.f('ix_bookings_prospect_id'), 'bookings', ['prospect_id'], unique=False)
    op.create_index(op.f('ix_bookings_unlock_id'), 'bookings', ['unlock_id'], unique=False)
    op.create_index('uq_bookings_one_live', 'bookings', ['unlock_id'], unique=True, postgresql_where=sa.text("state = 'booked'"))
    # Messages and what comes back of them point at each other.
    op.create_foreign_key(
        "fk_messages_unlock_id_prospect_id",
        "messages",
        "unlocks",
        ["unlock_id", "prospect_id"],
        ["id", "prospect_id"],
    )
    op.create_foreign_key("fk_messages_booking_id", "messages", "bookings", ["booking_id"], ["id"])
    op.execute("insert into clock default values")


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead: the first tables have nothing before them")
