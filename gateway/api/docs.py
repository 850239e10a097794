"""/docs: the REST doors described, in a page that loads nothing from elsewhere.

FastAPI's own page runs scripts from a public network on the origin that serves records, and shows
nothing where that network is out of reach. Here the same viewer comes from an installed package.
"""

from functools import cache
from importlib.resources import files
from typing import Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

router = APIRouter(prefix="/docs", include_in_schema=False)

POLICY: Final = (
    "default-src 'none'; connect-src 'self'; script-src 'self'; "
    # The viewer sets styles on its elements; it shows no data but what its user asks for.
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
)
_START: Final = (
    'SwaggerUIBundle({url: "/openapi.json", dom_id: "#page", deepLinking: true, '
    "presets: [SwaggerUIBundle.presets.apis]});"
)
_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Document exchange gateway</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<main id="page"></main>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""


@router.get("")
async def page() -> HTMLResponse:
    """The page."""
    return HTMLResponse(_PAGE)


@router.get("/start.js")
async def start() -> Response:
    """What the page does once it is there."""
    return Response(_START, media_type="text/javascript")


@router.get("/swagger-ui-bundle.js")
async def viewer() -> Response:
    """The viewer."""
    return Response(_asset("swagger-ui-bundle.js"), media_type="text/javascript")


@router.get("/swagger-ui.css")
async def style() -> Response:
    """The viewer's style."""
    return Response(_asset("swagger-ui.css"), media_type="text/css")


@cache
def _asset(name: str) -> bytes:
    return files("fastapi_offline").joinpath("static", name).read_bytes()
