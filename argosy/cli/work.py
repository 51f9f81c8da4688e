"""`python -m argosy.cli.work ORDERS` is one of several processes that serve."""

import sys

from argosy.kit import memory


def main() -> int:
    """Import what serves, and do as ordered."""
    with memory.importing():
        from argosy.cli.worker import main as work  # noqa: PLC0415 - heavy

    return work()


if __name__ == "__main__":
    sys.exit(main())
