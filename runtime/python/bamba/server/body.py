"""Reads the body of a request within the limits, and checks it against a schema."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

from fastapi import Request
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from bamba.errors import BambaError
from bamba.server.errors import ApiError
from bamba.server.options import ServerOptions
from bamba.server.schemas.base import Schema

_Body = TypeVar("_Body", bound=Schema)
_SHOWN = 80  # Characters of a value that an error repeats.
_DISCARDED = 8  # Times the limit that is read of a body that is too large: clients send all before they read.


async def read_body(request: Request, options: ServerOptions) -> bytes:
    """The bytes of the body. Raises ApiError 413 for too many, 408 where they do not come, 415 for another type.

    The type is checked since a browser sends JSON to another site only where that allows it.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        message = f"content-type: expected application/json, found {kind[:_SHOWN] or 'none'}"
        raise ApiError(415, message, code="unsupported_media_type")
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > _DISCARDED * options.max_body_bytes:
        raise _too_large(options)
    try:
        return await asyncio.wait_for(_read(request, options), options.body_seconds)
    except asyncio.TimeoutError as error:
        message = f"expected the body within {options.body_seconds:g} s, found a part of it"
        raise ApiError(408, message, code="request_timeout") from error
    except ClientDisconnect as error:
        raise ApiError(400, "the client went away", code="client_disconnected") from error


async def _read(request: Request, options: ServerOptions) -> bytes:
    body, size = bytearray(), 0
    async for part in request.stream():
        size += len(part)
        if size <= options.max_body_bytes:
            body += part
        elif size > _DISCARDED * options.max_body_bytes:
            break
    if size > options.max_body_bytes:
        raise _too_large(options)
    return bytes(body)


def _too_large(options: ServerOptions) -> ApiError:
    return ApiError(
        413, f"expected a body of at most {options.max_body_bytes} bytes, found more", code="body_too_large"
    )


async def parse_body(request: Request, schema: type[_Body], options: ServerOptions) -> _Body:
    """The body as a schema has it. Raises ApiError 400, which names the field, where it is not."""
    body = await read_body(request, options)
    try:
        body.decode("utf-8")
        return schema.model_validate_json(body)
    except UnicodeDecodeError as error:
        message = f"expected UTF-8, found byte {body[error.start]:#04x} at {error.start}"
        raise ApiError(400, message, code="invalid_encoding") from error
    except ValidationError as error:
        raise _as_api_error(error, schema) from error


def _as_api_error(error: ValidationError, schema: type[Schema]) -> ApiError:
    """One line about the first of the errors."""
    found = error.errors(include_url=False, include_context=True)
    first = found[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, BambaError):
        return ApiError(400, str(cause), param=getattr(cause, "param", None), code="invalid_value")
    if first["type"] == "json_invalid":
        return ApiError(400, f"expected JSON: {first['msg'].removeprefix('Invalid JSON: ')}", code="invalid_json")
    path = _path(first["loc"])
    param = path.partition("[")[0].partition(".")[0] or None
    if first["type"] == "missing":
        return ApiError(400, f"{path}: expected a value, found none", param=param, code="missing_required_parameter")
    if first["type"] == "extra_forbidden":
        if path in schema.unsupported:
            message, code = f"{path}: this server does not support it; leave it out", "unsupported_parameter"
        else:
            message, code = f"{path}: expected a known field, found one that no request has", "unknown_parameter"
        return ApiError(400, message, param=param, code=code)
    value = repr(first.get("input"))
    shown = value if len(value) <= _SHOWN else value[:_SHOWN] + "..."
    return ApiError(400, f"{path or 'body'}: {_expectation(found)}, found {shown}", param=param, code="invalid_value")


def _expectation(errors: Sequence[Any]) -> str:
    """What would be right. Of a choice of several types each says its own."""
    field = errors[0]["loc"][:1]
    texts = [_expected(error["msg"]) for error in errors if error["loc"][:1] == field]
    return "expected " + " or ".join(dict.fromkeys(texts))


def _expected(message: str) -> str:
    message = message.removeprefix("Input should be ").removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _path(location: Sequence[int | str]) -> str:
    """A field as the client wrote it, without the names that the choice of a type adds."""
    path = ""
    for depth, part in enumerate(location):
        if isinstance(part, int):
            path += f"[{part}]"
        elif depth == 0 or (part.isidentifier() and part not in ("str", "int", "float", "bool", "dict", "list")):
            path += f".{part}" if path else part
    return path
