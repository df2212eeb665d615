"""Senders and addresses on any channel, by the words of the channel itself."""

import httpx


async def test_a_person_has_an_address_on_any_channel_of_the_registry(
    client: httpx.AsyncClient,
) -> None:
    somebody = {"first_name": "Ola", "last_name": "Hansen"}
    network = {"linkedin": "https://www.linkedin.com/in/Ola-Hansen/"}
    made = await client.post("/api/prospects", json=somebody | {"identities": network})
    assert made.status_code == 201, made.text
    [identity] = made.json()["identities"]
    assert (identity["channel"], identity["address"]) == ("linkedin", "ola-hansen")
    again = await client.post("/api/prospects", json=somebody | {"linkedin": "ola-hansen"})
    assert again.status_code == 409
    pigeon = await client.post("/api/prospects", json=somebody | {"identities": {"pigeon": "x"}})
    assert pigeon.status_code == 422
    assert "There is no channel `pigeon`" in pigeon.json()["detail"]


async def test_automatic_mode_of_a_network_needs_its_terms_accepted_in_words(
    client: httpx.AsyncClient,
) -> None:
    seat = {"name": "kari", "channel": "linkedin", "address": "kari-lunde"}
    automatic = {"mode": "automatic", "account_id": "acc_1"}
    secrets = {"api_key": "canary-key", "webhook_secret": "canary-hook"}
    asked = seat | {"settings": automatic, "secrets": secrets}
    refused = await client.post("/api/senders", json=asked)
    assert refused.status_code == 422
    assert "User Agreement" in refused.json()["detail"]
    assert "canary" not in refused.text
    by_hand = await client.post("/api/senders", json=seat)
    assert by_hand.status_code == 201, by_hand.text
    change = {"settings": automatic | {"terms_accepted": True}, "secrets": secrets}
    turned = await client.patch("/api/senders/kari", json=change)
    assert turned.status_code == 200, turned.text
    assert turned.json()["settings"]["terms_accepted"] is True
