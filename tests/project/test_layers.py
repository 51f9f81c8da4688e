"""The rules that matter are executable."""

import subprocess
import sys
from pathlib import Path

from tools import check_docs, problems

ROOT = Path(__file__).parent.parent.parent


def test_the_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_the_documentation_is_in_step() -> None:
    assert [problem for page in check_docs.pages() for problem in check_docs.wrong_in(page)] == []
    assert (ROOT / "docs/problems.md").read_text() == problems.render()


def test_the_api_process_imports_nothing_that_reads_uploads() -> None:
    """Reading uploads (onnx, scikit-learn, skops) is the isolated process's."""
    program = (
        "import sys; import argosy.app; heavy = {'onnx', 'sklearn', 'skops', 'skl2onnx', 'pandas', 'joblib'};"
        "found = heavy & set(sys.modules); print(sorted(found)); sys.exit(bool(found))"
    )
    checked = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
