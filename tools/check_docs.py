"""Checks the documentation: links lead somewhere, Python snippets parse, generated pages are in step."""

import ast
import re
import sys
import textwrap
from pathlib import Path

from tools import policy
from tools.problems import render

ROOT = Path(__file__).parent.parent
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
SNIPPET = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    """Return every page of documentation."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def wrong_in(page: Path) -> list[str]:
    """Return what is wrong with a page."""
    text, name = page.read_text(), page.relative_to(ROOT)
    wrong = [
        f"{name}: no such file: {target}"
        for target in LINK.findall(text)
        if "://" not in target and not target.startswith("mailto:") and not (page.parent / target).exists()
    ]
    wrong += [
        f"{name}: no such test: {file}::{test}"
        for file, test in TEST.findall(text)
        if not (ROOT / file).exists() or f"def {test}(" not in (ROOT / file).read_text()
    ]
    for snippet in SNIPPET.findall(text):
        try:
            ast.parse(textwrap.dedent(snippet), mode="exec", type_comments=False)
        except SyntaxError as error:
            wrong.append(f"{name}: a Python snippet does not parse: {error}")
    return wrong


def main() -> int:
    """Check every page."""
    wrong = [problem for page in pages() for problem in wrong_in(page)]
    if (ROOT / "docs/problems.md").read_text() != render():
        wrong.append("docs/problems.md is not in step: python -m tools.problems > docs/problems.md")
    if (ROOT / "docs/policy.md").read_text() != policy.render():
        wrong.append("docs/policy.md is not in step: python -m tools.policy > docs/policy.md")
    sys.stderr.writelines(f"{problem}\n" for problem in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
