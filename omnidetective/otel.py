"""OpenTelemetry: clip → stage → call as spans, sent by OTLP over HTTP. An extra: ``pip install 'omnidetective[otel]'``.

Calls follow the GenAI conventions (github.com/open-telemetry/semantic-conventions-genai, state of 2026-11: in
development): the span is called ``chat MODEL``, covers all attempts, and holds names and numbers only, no text and no
media. The packages are imported only where spans are wanted. A collector that does not answer costs nothing but its
spans: they wait in a bounded queue, and another thread sends them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from omnidetective.errors import ConfigError
from omnidetective.settings import TelemetrySettings
from omnidetective.telemetry import Event, Fact, current_tracer

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

_WHERE: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_CLOSE_S: Final = 3.0
_log = logging.getLogger(__name__)

_ATTRIBUTES: Final = {
    "operation": "gen_ai.operation.name",
    "prompt_tokens": "gen_ai.usage.input_tokens",
    "completion_tokens": "gen_ai.usage.output_tokens",
}
"""Facts of the log that the conventions have a name for."""


def traces_for(settings: TelemetrySettings, *, version: str) -> Traces | None:
    """Who sends spans, where they are wanted.

    Raises:
        ConfigError: they are asked for by the setting, and the packages are missing.
    """
    wanted = any(os.environ.get(name) for name in _WHERE) if settings.otel is None else settings.otel
    if not wanted:
        return None
    try:
        return Traces(version)
    except ImportError as error:
        hint = "pip install 'omnidetective[otel]', or telemetry.otel=false"
        if settings.otel:
            raise ConfigError("telemetry.otel needs packages that are not installed", hint=hint) from error
        _log.warning("%s is set, but no spans are sent: packages are missing (%s)", _WHERE[1], hint)
        return None


class Traces:
    """Sends the spans of one process. :class:`~omnidetective.telemetry.Tracer`.

    Raises:
        ImportError: the packages are missing.
    """

    def __init__(self, version: str) -> None:
        from opentelemetry import context, trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._context, self._trace = context, trace
        name = os.environ.get("OTEL_SERVICE_NAME") or "omnidetective"
        resource = Resource.create({"service.name": name, "service.version": version})
        # Its own, not the process's: a program that uses this one as a library has spans of its own.
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(_watched(OTLPSpanExporter(), self._lost)))
        self._tracer = self._provider.get_tracer("omnidetective", version)
        self._closed = False
        self._told = False

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Steps inside are spans, in tasks started inside too."""
        token = current_tracer.set(self)
        try:
            yield
        finally:
            current_tracer.reset(token)

    def open(self, event: Event, facts: Mapping[str, Fact]) -> Callable[[str, str, Mapping[str, Fact]], None]:
        """See :class:`~omnidetective.telemetry.Tracer`."""
        provider, _, model = str(facts.get("model", "")).partition(":")
        if event == "call":
            operation = str(facts.get("operation", "chat"))
            kind = self._trace.SpanKind.CLIENT
            span = self._tracer.start_span(f"{operation} {model}", kind=kind)
            span.set_attributes({"gen_ai.provider.name": provider, "gen_ai.request.model": model})
        else:
            span = self._tracer.start_span(f"stage {facts.get('stage', '')}" if event == "stage" else "clip")
        token = self._context.attach(self._trace.set_span_in_context(span))

        def close(outcome: str, error: str, facts: Mapping[str, Fact]) -> None:
            told = {name: fact for name, fact in facts.items() if name not in ("model", "digest")}
            told["outcome"] = outcome
            span.set_attributes({_ATTRIBUTES.get(name, f"omnidetective.{name}"): fact for name, fact in told.items()})
            if error:
                span.set_attribute("error.type", error)
                span.set_status(self._trace.StatusCode.ERROR)
            self._context.detach(token)
            span.end()

        return close

    async def aclose(self) -> None:
        """Send what is left, as far as that can be done in seconds. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        # A thread that nobody waits for: what does not answer does not keep the process.
        sent = asyncio.Event()
        loop = asyncio.get_running_loop()

        def shut_down() -> None:
            self._provider.shutdown()
            with contextlib.suppress(RuntimeError):  # The loop is gone: it took too long.
                loop.call_soon_threadsafe(sent.set)

        threading.Thread(target=shut_down, name="otel-shutdown", daemon=True).start()
        try:
            async with asyncio.timeout(_CLOSE_S):
                await sent.wait()
        except TimeoutError:
            self._lost()

    def _lost(self) -> None:
        """Say once that spans are lost. May be called from any thread."""
        if not self._told:
            self._told = True
            _log.warning("spans could not be sent to the OpenTelemetry collector; nothing else is amiss")


def _watched(exporter: SpanExporter, lost: Callable[[], None]) -> SpanExporter:
    """An exporter whose failures are told to us, and are not an error in the log for every batch."""
    from opentelemetry.sdk.trace.export import SpanExporter as Base
    from opentelemetry.sdk.trace.export import SpanExportResult as Result

    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)

    class Watched(Base):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            result = exporter.export(spans)
            if result is not Result.SUCCESS:
                lost()
            return result

        def shutdown(self) -> None:
            exporter.shutdown()

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return exporter.force_flush(timeout_millis)

    return Watched()
