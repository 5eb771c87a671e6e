"""A page at / to try the model by hand."""

from __future__ import annotations

from importlib import resources

from fastapi import APIRouter, Response

router = APIRouter()

# The page runs its own script, talks to its own server, and is shown in no other site's frame.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def _file(name: str, media_type: str) -> Response:
    text = (resources.files("bamba.server") / "static" / name).read_text(encoding="utf-8")
    return Response(text, media_type=media_type, headers=_HEADERS)


@router.get("/", include_in_schema=False)
def page() -> Response:
    """The page."""
    return _file("page.html", "text/html")


@router.get("/page.js", include_in_schema=False)
def script() -> Response:
    """Its script."""
    return _file("page.js", "text/javascript")


@router.get("/page.css", include_in_schema=False)
def style() -> Response:
    """Its style."""
    return _file("page.css", "text/css")
