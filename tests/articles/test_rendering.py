"""Markdown becomes HTML in which nothing runs, submits, frames or styles."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argosy.articles.markdown import rendered

VECTORS = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<<script>alert(1);//<</script>",
    "<img src=x onerror=alert(1)>",
    "<img src='javascript:alert(1)'>",
    "<img src=JaVaScRiPt:alert(1)>",
    '<img src="jav&#x09;ascript:alert(1)">',
    '<img """><script>alert(1)</script>">',
    "<img src=`javascript:alert(1)`>",
    "<img/src/onerror=alert(1)>",
    "<img srcset='javascript:alert(1) 1x'>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "<svg><animate attributeName=href values=javascript:alert(1) /></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=data:text/html,<script>alert(1)</script>></object>",
    "<embed src=//evil.example/x.swf>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>@import 'javascript:alert(1)';</style>",
    "<div style='background:url(javascript:alert(1))'>x</div>",
    "<base href='javascript:alert(1)//'>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<body onload=alert(1)>",
    "<form action=javascript:alert(1)><input type=submit></form>",
    "<button formaction=javascript:alert(1)>x</button>",
    "<isindex action=javascript:alert(1)>",
    "<details open ontoggle=alert(1)>x</details>",
    "<video><source onerror=alert(1)></video>",
    "<audio src=x onerror=alert(1)>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<a href=javascript:alert(1)>x</a>",
    "<a href='&#106;avascript:alert(1)'>x</a>",
    "<a href='java\nscript:alert(1)'>x</a>",
    "<a href='\x01javascript:alert(1)'>x</a>",
    "<a href='vbscript:msgbox(1)'>x</a>",
    "<a href='data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg=='>x</a>",
    "<a href='http://x.example' target=_blank onclick=alert(1)>x</a>",
    "<p id=constructor name=cookie>clobbered</p>",
    "<template><script>alert(1)</script></template>",
    "<xss style='behavior:url(x.htc)'>x</xss>",
    "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml version='1.0'?><script>alert(1)</script>",
    "<table background='javascript:alert(1)'><td>x</td></table>",
    "[x](javascript:alert(1))",
    "[x](JAVASCRIPT:alert(1))",
    "[x](java&Tab;script:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:alert(1))",
    '[x](http://a.example "onmouseover=alert(1)")',
    '[x](http://a.example/"onmouseover="alert(1))',
    "[x]: javascript:alert(1)\n\n[x]",
    "![x](javascript:alert(1))",
    '![x" onerror="alert(1)](http://a.example)',
    "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
    "<javascript:alert(1)>",
    '```html" onmouseover="alert(1)\n<script>alert(1)</script>\n```',
    "`<script>alert(1)</script>`",
    "| <script>alert(1)</script> |\n|---|\n| <img src=x onerror=alert(1)> |",
    "\\<script>alert(1)\\</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
]
FORBIDDEN = {
    "base", "body", "button", "embed", "form", "iframe", "input", "link", "math", "meta", "noscript", "object",
    "script", "style", "svg", "template", "textarea", "video", "audio",
}  # fmt: skip


class Reader(HTMLParser):
    """Reads HTML as a browser would, and remembers what it would act on."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


def elements(content: str) -> list[tuple[str, dict[str, str | None]]]:
    reader = Reader()
    reader.feed(rendered(content).html)
    reader.close()
    return reader.elements


def assert_harmless(content: str) -> None:
    for name, attributes in elements(content):
        assert name not in FORBIDDEN, content
        assert not {key for key in attributes if key.startswith("on") or key in {"style", "srcset", "id", "name"}}, (
            content
        )
        for key in ("href", "src"):
            address = "".join(character for character in attributes.get(key) or "" if character > " ").lower()
            scheme, colon, _ = address.partition(":")
            if colon and re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme):  # else it is a path to a browser
                assert scheme in {"http", "https", "mailto"}, content


@pytest.mark.parametrize("vector", VECTORS)
def test_what_is_known_to_attack_does_nothing(vector: str) -> None:
    for content in (vector, f"> {vector}", f"- {vector}", f"text {vector} text", f"<div>\n\n{vector}\n\n</div>"):
        assert_harmless(content)


@given(st.lists(st.sampled_from([*VECTORS, "\n", "\n\n", "*", "`", ">", "<div>", "</div>", "[", "]("]), max_size=8))
def test_nor_do_mixtures_of_it(parts: list[str]) -> None:
    assert_harmless("".join(parts))


@given(st.text(max_size=200))
def test_any_text_is_rendered(content: str) -> None:
    made = rendered(content)
    assert_harmless(content)
    assert len(made.excerpt) <= 241


def test_what_an_author_means_is_kept() -> None:
    html = rendered(
        "# Title\n\n| a | b |\n|---|---|\n| 1 | ~~2~~ |\n\n```python\nprint('<b>')\n```\n\n"
        "[link](https://a.example 'title') ![image](https://a.example/x.png) <kbd>K</kbd> H<sub>2</sub>O"
    ).html
    for part in (
        "<h1>Title</h1>",
        "<td>1</td>",
        "<s>2</s>",
        'class="language-python"',
        "print('&lt;b&gt;')",
        '<a href="https://a.example" title="title" rel="noopener noreferrer nofollow ugc">link</a>',
        '<img src="https://a.example/x.png" alt="image">',
        "<kbd>K</kbd>",
        "H<sub>2</sub>O",
    ):
        assert part in html, part


def test_an_excerpt_is_how_the_text_begins() -> None:
    assert rendered("# A *b*\n\nc `d` [e](http://f.example)").excerpt == "A b c d e"
    cut = rendered("word " * 100).excerpt
    assert cut.endswith("word…")
    assert len(cut) <= 241


ALLOWED = {
    "a": {"href", "title", "rel"}, "abbr": {"title"}, "code": {"class"},
    "img": {"src", "alt", "title", "width", "height"}, "ol": {"start"},
    "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"},
}  # fmt: skip
BARE = {
    "b", "blockquote", "br", "dd", "del", "details", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr",
    "i", "kbd", "li", "p", "pre", "s", "span", "strong", "sub", "summary", "sup", "table", "tbody", "thead", "tr", "ul",
}  # fmt: skip
NAMES = st.one_of(
    st.sampled_from(sorted(BARE | FORBIDDEN | ALLOWED.keys())),
    st.from_regex(r"[a-z]{1,8}", fullmatch=True),
)
ATTRIBUTES = st.one_of(
    st.sampled_from(sorted({"style", "id", "name", "onclick", "srcset", "class"}.union(*ALLOWED.values()))),
    st.from_regex(r"[a-z-]{1,8}", fullmatch=True),
)


@given(st.lists(st.tuples(NAMES, ATTRIBUTES), min_size=1, max_size=6))
def test_only_what_is_listed_is_left(parts: list[tuple[str, str]]) -> None:
    for name, attributes in elements("".join(f'<{name} {key}="https://a.example">x' for name, key in parts)):
        assert name in BARE | ALLOWED.keys()
        assert set(attributes) <= ALLOWED.get(name, set()) | {"lang", "title"}, name
