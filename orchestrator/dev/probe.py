"""Health check of a container: exit 0 when the address answers 200. Standard library only."""

import sys
import urllib.request


def main() -> int:
    """`python -m orchestrator.dev.probe URL`."""
    try:
        with urllib.request.urlopen(sys.argv[1], timeout=4) as answer:  # noqa: S310 - from compose
            return 0 if answer.status == 200 else 1
    except OSError:
        return 1


if __name__ == "__main__":
    sys.exit(main())
