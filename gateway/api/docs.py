"""/docs: the REST doors described, in a page that loads nothing from elsewhere.

FastAPI's own page runs scripts from a public network on the origin that serves records, and shows
nothing where that network is out of reach. Here the same viewer comes from an installed package.
"""

from collections.abc import Awaitable, Callable
from functools import cache
from importlib.resources import files
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response

POLICY: Final = (
    "default-src 'none'; connect-src 'self'; script-src 'self'; "
    # The viewer sets styles on its elements; it shows no data but what its user asks for.
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
)
_ASSETS: Final = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
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


def install(application: FastAPI) -> None:
    """The page and what it is made of; none of it is a door, and no record is made of it."""
    for path, answer in (
        ("/docs", HTMLResponse(_PAGE)),
        ("/docs/start.js", Response(_START, media_type="text/javascript")),
    ):
        application.add_route(path, _always(answer), include_in_schema=False)
    for name, media_type in _ASSETS.items():
        application.add_route(f"/docs/{name}", _asset(name, media_type), include_in_schema=False)


def _always(answer: Response) -> Callable[[Request], Awaitable[Response]]:
    async def handler(_request: Request) -> Response:
        return answer

    return handler


def _asset(name: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    async def handler(_request: Request) -> Response:
        return Response(_content(name), media_type=media_type)

    return handler


@cache
def _content(name: str) -> bytes:
    return files("fastapi_offline").joinpath("static", name).read_bytes()
