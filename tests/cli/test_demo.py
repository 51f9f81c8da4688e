"""`argosy demo --exit`: every step holds, or the exit code says so."""

import subprocess
import sys


def test_the_demonstration_holds() -> None:
    command = [sys.executable, "-m", "argosy", "demo", "--exit"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every step held" in done.stdout
    assert "exactly those made" in done.stdout
    assert "422 rows.0.sepal_length" in done.stdout
