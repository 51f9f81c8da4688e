"""The handbook's domain works as written: its blocks are put into a copy of the code, and its test is run there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
BLOCK = re.compile(r"^`([\w/.]+)`\n\n```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
DIFF = re.compile(r"^`([\w/.]+)`\n\n```diff\n(.*?)^```", re.MULTILINE | re.DOTALL)


def apply(path: Path, diff: str) -> None:
    """Put each line of a diff that is new below the one before it."""
    text, before = path.read_text(), ""
    for line in diff.splitlines():
        if line.startswith("+"):
            assert text.count(f"{before}\n") == 1, (path, before)
            text = text.replace(f"{before}\n", f"{before}\n{line[1:]}\n")
        before = line[1:]
    path.write_text(text)


@pytest.mark.timeout(300)
def test_add_a_domain(tmp_path: Path) -> None:
    for name in ("argosy", "tests", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name)  # with their times, so that what is compiled already stays so
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    page = (ROOT / "docs/handbook/add-a-domain.md").read_text()
    blocks, diffs = BLOCK.findall(page), DIFF.findall(page)
    assert (len(blocks), len(diffs)) == (8, 3)
    for name, content in blocks:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    (tmp_path / "argosy/reviews/__init__.py").touch()
    for name, diff in diffs:
        apply(tmp_path / name, diff)

    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
        "tests/reviews", "tests/migrations/test_migrations.py", "tests/kit/test_tenancy.py",
        "-k", "review or equal or up_down or policy",
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}
    environment["PYTHONPATH"] = str(tmp_path)
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
