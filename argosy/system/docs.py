"""The OpenAPI document and its page, with assets of our own: nothing is loaded from elsewhere."""

from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import APIRouter, FastAPI, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

from argosy.kit.db.tenancy import SYSTEM, Actor
from argosy.kit.principal import Scope
from argosy.kit.web.security import authenticate, read_credentials
from argosy.serving.openapi import document

router = APIRouter(include_in_schema=False)
SWAGGER_ASSETS = Path(fastapi_offline.__file__).parent / "static"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; form-action 'none'; base-uri 'none'"
)
PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Argosy API</title>
  <link rel="icon" href="/docs/assets/favicon.png">
  <link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
  <form id="key-form" style="padding: 1rem 1.25rem; font-family: sans-serif">
    <label for="key">API key, to see your organization's models:</label>
    <input id="key" type="password" autocomplete="off" size="44" placeholder="ak_…">
    <button type="submit">Use</button>
  </form>
  <div id="swagger-ui"></div>
  <script src="/docs/assets/swagger-ui-bundle.js"></script>
  <script src="/docs/init.js"></script>
</body>
</html>
"""
SCRIPT = """const KEY = "argosy-key";
const input = document.getElementById("key");
input.value = sessionStorage.getItem(KEY) || "";
document.getElementById("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, input.value.trim());
  location.reload();
});
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis],
  requestInterceptor: (request) => {
    const key = sessionStorage.getItem(KEY);
    if (key && !request.headers.Authorization) request.headers.Authorization = `Bearer ${key}`;
    return request;
  },
});
"""


@router.get("/openapi.json")
async def openapi_document(request: Request) -> JSONResponse:
    """Show the document as the caller may see it."""
    app: FastAPI = request.app
    principal = None
    if read_credentials(request) is not None or not app.state.settings.public.docs:
        principal = await authenticate(request, request.headers.get("x-organization"))
        principal = principal if principal.may(Scope.MODELS_READ) else None
    actor = Actor.of(principal) if principal else SYSTEM  # without a caller, the public models of all
    async with app.state.database.read(actor) as session:
        described: dict[str, Any] = await document(app, session, principal)
    return JSONResponse(described)


@router.get("/docs")
async def docs_page() -> Response:
    """Show the document as a page; where documents are for those who have credentials, the page only asks for a key."""
    return HTMLResponse(PAGE, headers={"Content-Security-Policy": PAGE_POLICY})


@router.get("/docs/init.js")
async def docs_script() -> Response:
    """Return the page's script."""
    return Response(SCRIPT, media_type="text/javascript")


def mount_assets(app: FastAPI) -> None:
    """Serve the page's assets."""
    app.mount("/docs/assets", StaticFiles(directory=SWAGGER_ASSETS), name="docs-assets")
