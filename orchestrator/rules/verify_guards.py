"""What the database itself refuses (section 4 of the design), by name: it must be there and on."""

from collections.abc import Collection

GUARDS: frozenset[str] = frozenset(
    {
        # triggers
        "message_transition",
        "history_append_only",
        "history_no_truncate",
        "engagements_append_only",
        "engagements_no_truncate",
        "sequence_versions_append_only",
        "sequence_versions_no_truncate",
        "frozen_append_only",
        # L1
        "ck_engagements_grade",
        "ck_engagements_human_kind",
        "uq_engagements_id_prospect_id_grade",
        "fk_unlocks_engagement_id_prospect_id_grade",
        "fk_unlocks_enrollment_id_prospect_id",
        "ck_unlocks_human",
        "fk_bookings_unlock_id_prospect_id",
        "fk_bookings_host_id_host_number",
        "ck_messages_offer_needs_unlock",
        "uq_messages_one_offer",
        "no_double_booking",
        "uq_bookings_one_live",
        # L2
        "uq_messages_enrollment_id_step",
        "uq_messages_rfc_message_id",
        "uq_enrollments_prospect_id_sequence_id",
        "fk_messages_enrollment_id_prospect_id",
        "fk_messages_identity_id_prospect_id",
        "ck_messages_state",
        "ck_messages_addressed",
        # L3
        "uq_provider_events_source_external_id",
        "uq_deliveries_subscription_id_history_id",
        # L4
        "uq_suppressions_address_hash_scope",
        "uq_identities_channel_address",
        "uq_tasks_one_open",
    }
)


def missing(there: Collection[str]) -> list[str]:
    """The guards that are not among those that are there and on."""
    return sorted(GUARDS - set(there))
