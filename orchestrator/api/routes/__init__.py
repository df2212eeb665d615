"""One router for each resource; `create_app` includes them all."""

from orchestrator.api.routes import (
    bookings,
    deliveries,
    doubts,
    engagements,
    enroll,
    enrollments,
    events,
    hosts,
    late,
    messages,
    prospect_import,
    prospect_verbs,
    prospect_why,
    prospects,
    senders,
    sequences,
    subscriptions,
    suppressions,
    tasks,
    unlocks,
)

ROUTERS = (
    prospects.router,
    prospect_verbs.router,
    prospect_import.router,
    prospect_why.router,
    sequences.router,
    enrollments.router,
    enroll.router,
    messages.router,
    engagements.router,
    unlocks.router,
    bookings.router,
    doubts.router,
    late.router,
    tasks.router,
    senders.router,
    hosts.router,
    suppressions.router,
    events.router,
    subscriptions.router,
    deliveries.router,
)

__all__ = ["ROUTERS"]
