"""How a seat is set up, and who a person is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.linkedin.adapter import LinkedinChannel
from channels.linkedin.address import canonical_address
from channels.linkedin.settings import parse_settings
from tests.channels.linkedin.server import seat

SECRETS = {"api_key": "k", "webhook_secret": "s"}
AUTOMATIC = {"mode": "automatic", "terms_accepted": True, "account_id": "acc_1"}


def check(secrets: dict[str, str] | None = None, **settings: object) -> None:
    LinkedinChannel().check_settings(settings, SECRETS if secrets is None else secrets)


def test_nothing_said_means_by_hand() -> None:
    found = parse_settings({})
    assert (found.mode, found.note_limit, found.notes_monthly) == ("manual", 200, 5)
    check({})


def test_automatic_says_what_the_terms_hold() -> None:
    with pytest.raises(ValueError, match=r"User Agreement .* forbids .* `terms_accepted`"):
        check(mode="automatic", account_id="acc_1")


@pytest.mark.parametrize(
    ("settings", "secrets", "said"),
    [
        ({**AUTOMATIC, "account_id": None}, SECRETS, "account_id"),
        ({**AUTOMATIC, "account_id": "a/../b"}, SECRETS, "account_id"),
        (AUTOMATIC, {"webhook_secret": "s"}, "api_key"),
        (AUTOMATIC, {"api_key": "k"}, "webhook_secret"),
        (AUTOMATIC, {"api_key": "k\r\nX: y", "webhook_secret": "s"}, "api_key"),
        ({"base_url": "http://api.example/v2"}, {}, "base_url: a key never goes out in clear"),
        ({"base_url": "ftp://api.example"}, {}, "base_url"),
        ({"base_url": "https://u:p@api.example"}, {}, "base_url"),
        ({"base_url": "https://api.example/v2?x=1"}, {}, "base_url"),
        ({"api_header": "X KEY"}, {}, "api_header"),
        ({"signature_scheme": "none"}, {}, "signature_scheme"),
        ({"ban_days": 3}, {}, "ban_days"),
        ({"notes": 3}, {}, "notes"),
    ],
)
def test_settings_that_cannot_work_name_the_field(
    settings: dict[str, object], secrets: dict[str, str], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        check(secrets, **settings)


@pytest.mark.parametrize(
    ("tier", "values", "wanted"),
    [
        ("free", {}, (20, 100, 21, 21, 5)),
        ("premium", {}, (30, 150, 21, 21, None)),
        ("free", {"requests_daily": 0, "requests_weekly": 7}, (0, 7, 21, 21, 5)),
    ],
)
def test_the_pace_follows_the_tier(
    tier: str, values: dict[str, int], wanted: tuple[int | None, ...]
) -> None:
    pace = LinkedinChannel().request_pace(seat(1, tier=tier, **values))
    assert wanted == (
        pace.daily,
        pace.weekly,
        pace.withdraw_after_days,
        pace.ban_days,
        pace.notes_monthly,
    )


def test_by_hand_needs_no_invitation_and_shows_the_profile() -> None:
    channel, manual = LinkedinChannel(), seat(1, mode="manual")
    assert channel.by_hand(manual)
    assert not channel.needs_request(manual)
    assert channel.needs_request(seat(1))
    assert channel.profile_url(manual, "åse-b") == "https://www.linkedin.com/in/%C3%A5se-b/"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("Ola-Hansen", "ola-hansen"),
        ("https://www.linkedin.com/in/Ola-Hansen-12a/", "ola-hansen-12a"),
        ("linkedin.com/in/ola-hansen?trk=x#y", "ola-hansen"),
        ("http://no.linkedin.com/in/ola-hansen/details/skills", "ola-hansen"),
        ("https://www.linkedin.com/in/%C3%85se-berg/", "åse-berg"),
        ("https://www.linkedin.com/in/A\u030ase-berg", "åse-berg"),
        ("https://www.linkedin.com/mwlite/in/ola-hansen", "ola-hansen"),
    ],
)
def test_addresses(given: str, wanted: str) -> None:
    assert canonical_address(given) == wanted
    assert canonical_address(wanted) == wanted


@pytest.mark.parametrize(
    "given",
    [
        *(
            "ola@example.com",
            "https://evil.example/in/ola-hansen",
            "linkedin.com.evil.example/in/ola",
        ),
        *(
            "https://www.linkedin.com/company/acme",
            "https://www.linkedin.com/in/",
            "../me",
            "..",
            "me",
        ),
        *("https://www.linkedin.com/in/a%2Fb%2Fc", "https://[linkedin.com/in/ola", "a" * 101),
        *("ola\u202ehansen", "https://www.linkedin.com/in/%FF%FE%FD"),
        "ACoAABcDeFgHiJkLmNoPqRsTuVwXyZ0123456789",
    ],
)
def test_what_is_no_address(given: str) -> None:
    with pytest.raises(ValueError, match="address"):
        canonical_address(given)


@given(st.text(max_size=120))
def test_any_text_is_an_address_or_refused(given: str) -> None:
    try:
        made = canonical_address(given)
    except ValueError:
        return
    assert canonical_address(made) == made
    assert not set(made) & set("/?#% \n")
