"""The session cookie, and the defence against requests that another site makes a browser send.

A browser adds the cookie by itself, so a call that comes with it and changes something has to show that a page of ours
sent it: by Fetch Metadata (W3C) or Origin, and by a token that only such a page can read (double submit, bound to the
session). A call with any other credential is nothing a browser sends by itself; it never gets here.
"""

import hmac
from hashlib import sha256
from urllib.parse import urlsplit

from fastapi import Request, Response
from starlette.requests import HTTPConnection

from argosy.kit.crypto import KeyRing
from argosy.kit.errors import Forbidden

# RFC 6265bis, section 4.1.3.2: sent only over TLS (or to this machine), to this host alone, set by nobody else.
COOKIE = "__Host-argosy"
CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_PURPOSE = "csrf"


class CrossSiteRequest(Forbidden):
    """The request may come from another site's page."""

    type, title = "cross-site-request", "Cross-site request refused"


def csrf_token(keys: KeyRing, cookie: str) -> str:
    """Return the token that goes with a session cookie."""
    return hmac.new(keys.key(_PURPOSE), cookie.encode(), sha256).hexdigest()


def require_same_site(request: Request) -> None:
    """Raise `CrossSiteRequest` when the browser says that another origin sent a request.

    Browsers say at least one of the two with every call that changes something; what says neither is no browser.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None and site not in {"same-origin", "none"}:
        raise CrossSiteRequest("the request comes from another site")
    if origin is not None and not _is_own(request, origin):
        raise CrossSiteRequest("the request comes from another origin")


def require_own_page(request: Request, keys: KeyRing, cookie: str) -> None:
    """Raise `CrossSiteRequest` for a call that changes something without proof that a page of ours sent it."""
    if request.method in SAFE_METHODS:
        return
    require_same_site(request)
    given = request.headers.get(CSRF_HEADER, "")
    if not given.isascii() or not hmac.compare_digest(given, csrf_token(keys, cookie)):
        raise CrossSiteRequest(f"send the session's token as {CSRF_HEADER}")


def require_own_origin(connection: HTTPConnection) -> None:
    """Raise `CrossSiteRequest` for a WebSocket that no page of ours opened.

    A browser adds the cookie to it by itself, whoever's page it is, and always says the origin of the page.
    """
    origin = connection.headers.get("origin")
    if origin is None or not _is_own(connection, origin):
        raise CrossSiteRequest("the connection comes from another origin")


def set_cookie(response: Response, value: str, max_age: int) -> None:
    """Give a browser its session."""
    response.set_cookie(COOKIE, value, max_age=max_age, path="/", secure=True, httponly=True, samesite="lax")


def clear_cookie(response: Response) -> None:
    """Take a browser's session away."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")


def _is_own(request: HTTPConnection, origin: str) -> bool:
    public = request.app.state.settings.public.url
    scheme = "https" if request.url.scheme in {"https", "wss"} else "http"
    own = {f"{scheme}://{request.url.netloc}".lower()}
    if public is not None:
        parts = urlsplit(str(public))
        own.add(f"{parts.scheme}://{parts.netloc}".lower())
    return origin.lower() in own
