"""/v1/models, /health and /metrics."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from bamba.server.metrics import CONTENT_TYPE, Metrics
from bamba.server.state import ServerState, state_of

router = APIRouter()


def _model(state: ServerState) -> dict[str, Any]:
    return {
        "id": state.options.model_name,
        "object": "model",
        "created": state.created,
        "owned_by": "bambac",
        "max_model_len": state.engine.info.max_context,
    }


@router.get("/v1/models")
async def models(request: Request) -> dict[str, Any]:
    """The one model of this server."""
    return {"object": "list", "data": [_model(state_of(request))]}


@router.get("/v1/models/{name:path}")
async def model(request: Request, name: str) -> dict[str, Any]:
    """A model by its name."""
    state = state_of(request)
    state.check_model(name)
    return _model(state)


@router.get("/health")
async def health(request: Request) -> JSONResponse:
    """200 while requests are answered, 503 once the server ends or the model has failed."""
    state = state_of(request)
    if state.draining:
        return JSONResponse({"status": "shutting down"}, 503)
    if not state.engine.healthy:
        return JSONResponse({"status": "the model has failed"}, 503)
    return JSONResponse({"status": "ok"})


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """What Prometheus collects."""
    found: Metrics = request.app.state.metrics
    return Response(found.text(), media_type=CONTENT_TYPE)
