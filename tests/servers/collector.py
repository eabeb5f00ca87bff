"""An OpenTelemetry collector on the loopback: it takes spans by OTLP over HTTP, and keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status


@dataclass(frozen=True, slots=True)
class Span:
    """One span as it came; ``parent`` is empty at the top."""

    trace: bytes
    id: bytes
    parent: bytes
    name: str
    is_client: bool
    is_error: bool
    seconds: float
    facts: dict[str, str | int | float] = field(default_factory=dict)


class Collector:
    """The server; an async context manager."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.resources: list[dict[str, str | int | float]] = []
        self.raw = b""
        self.endpoint = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Collector:
        app = web.Application()
        app.router.add_post("/v1/traces", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.endpoint = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def above(self, span: Span) -> Span | None:
        """The span that another is part of."""
        return next((other for other in self.spans if other.id == span.parent and other.trace == span.trace), None)

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.raw += body
        sent = ExportTraceServiceRequest()
        sent.ParseFromString(body)
        for resource in sent.resource_spans:
            self.resources.append(_facts(resource.resource.attributes))
            for scope in resource.scope_spans:
                self.spans += [_span(span) for span in scope.spans]
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=answer, content_type="application/x-protobuf")


def _span(span: WireSpan) -> Span:
    return Span(
        span.trace_id,
        span.span_id,
        span.parent_span_id,
        span.name,
        span.kind == WireSpan.SPAN_KIND_CLIENT,
        span.status.code == Status.STATUS_CODE_ERROR,
        (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        _facts(span.attributes),
    )


def _facts(attributes: object) -> dict[str, str | int | float]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in attributes}  # type: ignore[attr-defined]
