"""Markdown to HTML that is safe to put into a page.

The Markdown is CommonMark with tables and strikethrough, and may hold HTML; what is not known to be harmless is taken
out afterwards, whether it was written as Markdown or as HTML.

Run as a program (`python -I markdown.py`), it renders its standard input within limits that it sets itself. It imports
nothing of Argosy, so that it starts quickly.
"""

import json
import re
import resource
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

EXCERPT = 240
MAX_HTML = 2_000_000  # twenty times the longest text, which no honest one comes to
CPU_SECONDS = 3
MEMORY_BYTES = 512 * 2**20
TOO_LONG = 3
_TAGS = {
    "a", "abbr", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", "h1", "h2", "h3",
    "h4", "h5", "h6", "hr", "i", "img", "kbd", "li", "ol", "p", "pre", "s", "span", "strong", "sub", "summary", "sup",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {
    "a": {"href", "title"},
    "abbr": {"title"},
    "code": {"class"},
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
}
_SCHEMES = {"http", "https", "mailto"}
_LANGUAGE = re.compile(r"language-[\w+#.-]{1,40}")
_SPACE = re.compile(r"\s+")
_PLAIN = {"text", "code_inline", "softbreak", "hardbreak"}
_markdown = MarkdownIt("commonmark").enable(["table", "strikethrough"])


@dataclass(frozen=True, slots=True)
class Rendered:
    """What is made of Markdown: safe HTML, and how the text begins as plain text."""

    html: str
    excerpt: str


def rendered(content: str) -> Rendered:
    """Render Markdown, without anything that runs, submits, frames or styles."""
    tokens = _markdown.parse(content)
    html = nh3.clean(
        _markdown.renderer.render(tokens, _markdown.options, {}),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_harmless,
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer nofollow ugc",
    )
    return Rendered(html, _beginning(tokens))


def _beginning(tokens: Sequence[Token]) -> str:
    shown: list[str] = []
    for token in tokens:
        shown += [child.content or " " for child in token.children or [] if child.type in _PLAIN]
        shown.append(" ")
    text = _SPACE.sub(" ", "".join(shown)).strip()
    return text if len(text) <= EXCERPT else text[:EXCERPT].rsplit(" ", 1)[0] + "…"


def _harmless(element: str, attribute: str, value: str) -> str | None:
    """Return an attribute's value, or None to leave it out."""
    if (element, attribute) == ("code", "class"):
        return value if _LANGUAGE.fullmatch(value) else None
    return value


def main() -> int:
    """Render standard input to JSON on standard output; return the exit code."""
    for kind, amount in (
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (amount, amount))
    made = rendered(sys.stdin.buffer.read().decode())
    if len(made.html) > MAX_HTML:
        return TOO_LONG
    sys.stdout.write(json.dumps(asdict(made)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
