"""Which zones are plausible, by what is known."""

from zoneinfo import ZoneInfo

import pytest

from orchestrator.rules.zones import all_zones, is_zone, known_zones, plausible_zones

OSLO = frozenset({"Europe/Oslo"})


def test_the_zone_of_the_row_wins() -> None:
    known = plausible_zones(zone="Asia/Tokyo", country="NO", phone="+4722334455", address="a@b.se")
    assert known == {"Asia/Tokyo"}


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "Factory", "europe/oslo", "../etc/passwd"])
def test_a_zone_that_is_none_is_no_knowledge(zone: str) -> None:
    assert not is_zone(zone)
    assert plausible_zones(zone=zone, country="no") == OSLO


def test_evidence_in_order() -> None:
    assert plausible_zones(zone=None, country="US") > {"America/New_York", "Pacific/Honolulu"}
    assert plausible_zones(zone=None, country=None, phone="+4722334455", address="a@b.se") == OSLO
    assert plausible_zones(zone=None, country="XX", address="a@b.co.uk") == {"Europe/London"}
    assert plausible_zones(zone=None, country=None, address="a@b.no", language="sv") == OSLO
    spoken = plausible_zones(zone=None, country=None, address="a@b.com", language="sv-SE")
    assert spoken == {"Europe/Stockholm", "Europe/Helsinki", "Europe/Mariehamn"}


@pytest.mark.parametrize(
    "address", ["a@b.com", "a@b.io", "a@b.eu", "a@b.nu", "nonsense", "a@", None]
)
def test_an_address_that_tells_no_country_leaves_everything_open(address: str | None) -> None:
    assert plausible_zones(zone=None, country=None, address=address) == all_zones()


@pytest.mark.parametrize("phone", ["+1", "22334455", "+80012345678", "x", None])
def test_a_number_that_tells_no_country_is_never_narrower_than_it_may(phone: str | None) -> None:
    found = plausible_zones(zone=None, country=None, phone=phone)
    assert found
    assert found <= all_zones()


def test_a_number_of_a_shared_calling_code_keeps_every_country_of_it() -> None:
    found = plausible_zones(zone=None, country=None, phone="+15555550100")
    assert found > {"America/New_York", "America/Vancouver"}


def test_every_plausible_zone_can_be_loaded() -> None:
    assert all_zones() <= known_zones()
    for name in known_zones():
        ZoneInfo(name)
