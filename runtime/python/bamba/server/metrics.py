"""Metrics for Prometheus: what the engine counts, and requests by route and status."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bamba.async_engine import AsyncEngine
from bamba.errors import BambaError

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)

_GAUGES = {
    "running": "Requests that run.",
    "waiting": "Requests in the queue.",
    "preempted": "Requests in the queue whose state is in host memory.",
    "slots": "Requests that can run at a time.",
    "pages": "Pages of the KV cache.",
    "free_pages": "Pages of the KV cache that are free.",
    "tokens_per_second": "Generated tokens a second, over about the last ten seconds.",
    "cache_entries": "States in the prefix cache.",
    "cache_device_bytes": "Bytes of the prefix cache on the device.",
    "cache_host_bytes": "Bytes of the prefix cache in host memory.",
}


class EngineCollector(Collector):
    """The counters of an engine, read when they are asked for."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """All counters; none where the engine is closed."""
        try:
            found = self._engine.counters()
        except BambaError:
            return
        for name, value in found.gauges.items():
            yield GaugeMetricFamily(f"bamba_{name}", _GAUGES.get(name, f"{name} now."), value=value)
        for name, total in found.totals.items():
            text = f"{name.replace('_', ' ').capitalize()} since the start."
            yield CounterMetricFamily(f"bamba_{name}", text, value=total)
        for name, histogram in found.histograms.items():
            buckets = [("+Inf" if bound == float("inf") else f"{bound:g}", count) for bound, count in histogram.buckets]
            text = f"Seconds: {name.replace('_', ' ')}."
            yield HistogramMetricFamily(f"bamba_{name}_seconds", text, buckets, histogram.total_seconds)


class Metrics:
    """The metrics of one server."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(EngineCollector(engine))
        self._requests = Counter(
            "bamba_http_requests", "Requests by route and status.", ["route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "bamba_http_request_seconds",
            "Seconds from a request's headers to the end of its answer.",
            ["route"],
            buckets=_BUCKETS,
            registry=self._registry,
        )

    def text(self) -> bytes:
        """All metrics in the text form of Prometheus."""
        return generate_latest(self._registry)

    def observe(self, route: str, status: int, seconds: float) -> None:
        """Counts an answer. Status 0 is that of a client that went away before it."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)


class MetricsMiddleware:
    """Counts each request. Routes are those of the server, so that no client can make up names of metrics."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on and notes the status."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.monotonic(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.observe(route, status, time.monotonic() - start)
