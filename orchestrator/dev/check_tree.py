"""What must not be committed: paths of one machine, addresses of registries, a second lock file."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# Assembled from pieces, so that this file passes its own check.
_HOMES = "|".join(("wo" + "rk/main", "ro" + "ot", "ho" + r"me/[\w.-]+", "Us" + r"ers/[\w.-]+"))
_MACHINE_PATH = re.compile(rf"(?<![\w.$}}-])/(?:{_HOMES})/")
_REGISTRY = re.compile(
    "|".join(
        (
            r"https?://[\w.-]*" + r"(?:pypi|pythonhosted|npmjs)" + r"\.(?:org|com|io)",
            r"https?://[\w.-]*" + r"debian" + r"\.org",
            r"^\s*--?(?:index-url|extra-index-url|find-links)\b",
        )
    ),
    re.MULTILINE,
)
_SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{40,}|-----BEGIN [A-Z ]*PRIVATE KEY")
_RESOLVED = re.compile(r'"resolved"\s*:\s*"https?:')
_RULES = {
    "a path of one machine": _MACHINE_PATH,
    "the address of a registry": _REGISTRY,
    "where a package was fetched": _RESOLVED,
    "a secret": _SECRET,
}
# Each records addresses of registries, or pins a second time what is pinned in these folders.
_OTHER_LOCKS = {"uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock", "package-lock.json"}
_HOMES_OF_LOCKS = {"requirements", "frontend"}


def faults(path: Path, text: str) -> Iterator[str]:
    """What is wrong with one file, as `path:line: words`."""
    if path.name in _OTHER_LOCKS and path.parent.name not in _HOMES_OF_LOCKS:
        yield f"{path}: a second lock file; requirements/ and frontend/ have the pins"
    for words, pattern in _RULES.items():
        for found in pattern.finditer(text):
            yield f"{path}:{text.count(chr(10), 0, found.start()) + 1}: {words}"


def _tracked() -> Iterator[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    )
    return (Path(name) for name in listed.stdout.split("\0") if name)


def main() -> int:
    """Check every file that git knows or would take; exit 1 when one is at fault."""
    found = [
        fault
        for path in _tracked()
        if path.is_file()
        for fault in faults(path, path.read_text(encoding="utf-8", errors="replace"))
    ]
    sys.stderr.write("".join(f"{fault}\n" for fault in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
