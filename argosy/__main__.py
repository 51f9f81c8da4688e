"""`python -m argosy` is the `argosy` command."""

from argosy.cli.main import run

if __name__ == "__main__":
    run()
