"""The front-end packages: pinned by integrity, without addresses, and in place."""

import base64
import hashlib
import json
from pathlib import Path

import pytest

from orchestrator.console.frame import STATIC
from orchestrator.dev import check_tree, frontend

LOCK = frontend.SOURCE / "package-lock.json"


def test_every_package_is_pinned_by_its_bytes_and_by_no_address() -> None:
    packages = json.loads(LOCK.read_text())["packages"]
    wanted = json.loads((frontend.SOURCE / "package.json").read_text())
    named = {**wanted["dependencies"], **wanted["devDependencies"]}
    assert {f"node_modules/{name}" for name in named} <= packages.keys()
    for name, package in packages.items():
        assert "resolved" not in package, name
        if name:
            assert package["integrity"].startswith("sha512-"), name
            digest = base64.b64decode(package["integrity"].removeprefix("sha512-"))
            assert len(digest) == hashlib.sha512().digest_size


def test_a_lock_with_addresses_is_found_before_it_is_committed() -> None:
    line = '"resolved": "https' + '://mirror.example/htmx.org.tgz"'
    assert list(check_tree.faults(Path("frontend/package-lock.json"), line)) == [
        "frontend/package-lock.json:1: where a package was fetched"
    ]


def test_what_pages_load_is_copied_into_place_and_not_committed() -> None:
    served = {frontend.ROOT / "templates" / "console" / name for name in STATIC}
    for target in frontend.FILES.values():
        assert target.is_file(), "make setup puts it there"
    assert frontend.FILES["htmx.org/dist/htmx.min.js"] in served
    ignored = (frontend.ROOT / ".gitignore").read_text()
    assert "/templates/console/vendor/" in ignored


def test_other_bytes_than_those_that_are_pinned_are_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """npm refuses them before anything is copied; a registry that is away ends the same way."""
    monkeypatch.setattr(frontend, "SOURCE", tmp_path)
    target = tmp_path / "out" / "htmx.min.js"
    monkeypatch.setattr(frontend, "FILES", {"htmx.org/dist/htmx.min.js": target})
    (tmp_path / "package.json").write_text((LOCK.parent / "package.json").read_text())
    lock = json.loads(LOCK.read_text())
    wrong = base64.b64encode(hashlib.sha512(b"something else").digest()).decode()
    lock["packages"]["node_modules/htmx.org"]["integrity"] = f"sha512-{wrong}"
    (tmp_path / "package-lock.json").write_text(json.dumps(lock))
    with pytest.raises(frontend.subprocess.CalledProcessError):
        frontend.install(run_only=True)
    assert not target.exists()
