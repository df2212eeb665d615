"""The operator's HTTP API in the sandbox (the shape of Unipile v2), below `/sandbox/network/api`:
members and invitations.

The account is in the path. Errors are problem documents with `type: errors/<word>`; a 429 says when
to come back.
"""

from datetime import datetime

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from orchestrator.sandbox import linkedin_events as events
from orchestrator.sandbox.linkedin_call import Answer, do, page
from orchestrator.sandbox.linkedin_server import Operator
from orchestrator.sandbox.linkedin_world import NetworkError, Seat

router = APIRouter(prefix="/sandbox/network/api", include_in_schema=False)


class NewRequest(BaseModel):
    """An invitation."""

    user_id: str
    message: str | None = None


@router.get("/{account}/users/me")
async def own_profile(request: Request, account: str) -> Response:
    """Who the account is."""

    def work(_operator: Operator, seat: Seat, _now: datetime) -> Answer:
        return {"object": "user", "id": seat.member_id, "provider_id": seat.member_id,
                "display_name": seat.name, "public_identifier": f"seat-{seat.id[-6:].lower()}",
                "premium": seat.tier == "premium"}  # fmt: skip

    return await do(request, "users.me", account, work)


@router.post("/{account}/users/me/relation-requests")
async def send_request(request: Request, account: str, body: NewRequest) -> Response:
    """Invite a member."""

    def work(operator: Operator, seat: Seat, now: datetime) -> Answer:
        made = operator.world.invite(seat, body.user_id, body.message or "", now)
        member = operator.world.state.members[made.member]
        shown = events.invitation_shape(made, member)
        return shown | {"relation_request_id": made.id, "request_id": made.id}

    return await do(request, "relation_requests.post", account, work, 201)


@router.get("/{account}/users/me/relation-requests")
async def list_requests(request: Request, account: str) -> Response:
    """Invitations that wait, the newest first. An answered one is no longer in the list."""

    def work(operator: Operator, seat: Seat, _now: datetime) -> Answer:
        state = operator.world.state
        waiting = [
            events.invitation_shape(each, state.members[each.member])
            for each in reversed(state.invitations.values())
            if each.seat == seat.id and each.state in ("pending", "ignored")
        ]
        wanted = request.query_params.get("type", "sent")
        return page(request, waiting if wanted == "sent" else [], "relation_requests")

    return await do(request, "relation_requests.get", account, work)


@router.post("/{account}/users/me/relation-requests/{request_id}/cancel")
async def cancel_request(request: Request, account: str, request_id: str) -> Response:
    """Withdraw an invitation."""

    def work(operator: Operator, seat: Seat, now: datetime) -> Answer:
        operator.world.withdraw(seat, request_id, now)
        return {"object": "relation_request", "id": request_id, "status": "cancelled"}

    return await do(request, "relation_requests.cancel", account, work)


@router.get("/{account}/users/{identifier}/relations")
async def list_relations(request: Request, account: str, identifier: str) -> Response:
    """Who is connected to the account, the newest first; `identifier` is `me` or its own id."""

    def work(operator: Operator, seat: Seat, _now: datetime) -> Answer:
        if identifier not in ("me", seat.member_id):
            raise NetworkError(403, "insufficient_permissions", "relations of others are private")
        state = operator.world.state
        accepted = [
            each
            for each in state.invitations.values()
            if each.seat == seat.id and each.state == "accepted" and each.answered
        ]
        accepted.sort(key=lambda each: each.answered or each.sent, reverse=True)
        found = [
            events.member_shape(state.members[each.member])
            | {
                "user_id": each.member,
                "created_at": events.stamp(each.answered or each.sent),
                "connected_at": events.stamp(each.answered or each.sent),
            }
            for each in accepted
        ]
        return page(request, found, "relations")

    return await do(request, "relations.get", account, work)


@router.get("/{account}/users/{identifier}")
async def profile(request: Request, account: str, identifier: str) -> Response:
    """A member by id or public identifier."""

    def work(operator: Operator, seat: Seat, _now: datetime) -> Answer:
        member = operator.world.find_member(identifier)
        near = operator.world.connected(seat, member.id)
        distance = "FIRST_DEGREE" if near else "SECOND_DEGREE"
        return events.member_shape(member) | {"is_relationship": near, "network_distance": distance}

    return await do(request, "users.get", account, work)
