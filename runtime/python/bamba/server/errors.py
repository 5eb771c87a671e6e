"""Errors in OpenAI's form: {"error": {"message", "type", "param", "code"}} and the status that fits."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from bamba.errors import (
    BambaError,
    EngineClosedError,
    InvalidRequestError,
    PromptTooLongError,
    QueueFullError,
    UnsupportedError,
)

_LOG = logging.getLogger("bamba.server")


class ApiError(Exception):
    """An answer with an error. `retry` tells the client after how many seconds to try again."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        retry: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.param, self.code, self.retry = status, kind, param, code, retry

    def body(self) -> dict[str, Any]:
        """What a client gets."""
        return {"error": {"message": str(self), "type": self.kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """The whole answer."""
        headers = {"Retry-After": str(self.retry)} if self.retry is not None else {}
        if self.status in (408, 413):  # The rest of the body may still come.
            headers["Connection"] = "close"
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(self.body(), self.status, headers)


def as_api_error(error: Exception) -> ApiError:
    """What a client is told about an exception. What is the server's own fault is logged and not shown."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, PromptTooLongError):
        return ApiError(400, str(error), param=error.param, code="context_length_exceeded")
    if isinstance(error, UnsupportedError):
        return ApiError(400, str(error), param=error.param, code="unsupported_parameter")
    if isinstance(error, InvalidRequestError):
        return ApiError(400, str(error), param=error.param, code="invalid_value")
    if isinstance(error, QueueFullError):
        return ApiError(429, f"the queue is full: {error}", kind="rate_limit_error", code="queue_full", retry=1)
    if isinstance(error, EngineClosedError):
        return ApiError(503, "the server is shutting down", kind="server_error", code="shutting_down", retry=5)
    if isinstance(error, TimeoutError):
        return ApiError(503, "the request took too long", kind="server_error", code="timeout")
    _LOG.error("request failed: %s", error, exc_info=not isinstance(error, BambaError))
    return ApiError(500, "the model failed; the server's log says why", kind="server_error", code="internal_error")


def install_handlers(app: FastAPI) -> None:
    """Makes every failure of a route an error in OpenAI's form."""

    def on_error(_request: Request, error: Exception) -> JSONResponse:
        return as_api_error(error).response()

    def on_http_error(request: Request, error: Exception) -> JSONResponse:
        status = error.status_code if isinstance(error, HTTPException) else 500
        messages = {
            404: f"expected a known path, found {request.url.path}",
            405: f"expected another method for {request.url.path}, found {request.method}",
        }
        detail = error.detail if isinstance(error, HTTPException) else "error"
        code = {404: "not_found", 405: "method_not_allowed"}.get(status)
        return ApiError(status, messages.get(status, detail), code=code).response()

    for kind in (ApiError, BambaError, TimeoutError):
        app.add_exception_handler(kind, on_error)
    app.add_exception_handler(HTTPException, on_http_error)
