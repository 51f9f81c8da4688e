"""The handbook's domain works as written: its blocks are put into a copy of the code, and its test is run there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
BLOCK = re.compile(r"^`([\w/.]+)`\n\n```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_add_a_domain(tmp_path: Path) -> None:
    for name in ("argosy", "tests", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    blocks = BLOCK.findall((ROOT / "docs/handbook/add-a-domain.md").read_text())
    assert len(blocks) == 8
    for name, content in blocks:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    (tmp_path / "argosy/notes/__init__.py").touch()

    app = tmp_path / "argosy/app.py"
    text = app.read_text().replace("        usage.router,\n", "        usage.router,\n        notes.router,\n")
    imports = "from argosy.notes import router as notes\nfrom argosy.usage import"
    app.write_text(text.replace("from argosy.usage import", imports, 1))
    tables = tmp_path / "argosy/migrations/tables.py"
    tables.write_text(tables.read_text() + "\nimport argosy.notes.models  # noqa: E402, F401\n")

    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
        "tests/notes", "tests/migrations/test_migrations.py", "tests/kit/test_tenancy.py",
        "-k", "note or equal or up_down or policy",
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}
    environment["PYTHONPATH"] = str(tmp_path)
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
