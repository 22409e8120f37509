"""OpenTelemetry traces of runs (the extra `otel`): hooks into what the worker tells, and exports by OTLP over HTTP.

Switched on by OpenTelemetry's own environment variables; while it is off nothing of it is imported and nothing is
hooked in. What spans there are is for `spans` to say; they are exported by the SDK's own thread, a few seconds later. A
receiver that does not answer costs spans, never more: one warning, and the daemon goes on.
"""

import asyncio
import contextlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog

from sinchflow import __version__
from sinchflow.model.event import Event
from sinchflow.model.run import Run
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.dialler import Dialler
from sinchflow.runtime.spans import SpanData, Spans, Spot, read_traceparent
from sinchflow.runtime.worker import Worker

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import SpanContext

log = structlog.get_logger("sinchflow")

_INSTALL = "pip install 'sinchflow[otel]'"
#: Events whose sender's span is known, and runs with events that they have not ended a segment for yet.
_MOST_KEPT = 10_000
#: What has not been exported this long after the daemon has stopped is lost.
_PATIENCE_S = 5.0


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Whether OpenTelemetry's variables ask for traces."""

    def given(name: str) -> str:
        return environ.get(name, "").strip()

    if given("OTEL_SDK_DISABLED").lower() == "true" or given("OTEL_TRACES_EXPORTER").lower() == "none":
        return False
    asked = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER")
    return any(map(given, asked))


def begin_tracing(
    environ: Mapping[str, str], *, identity: str, clock: Clock, worker: Worker, dialler: Dialler
) -> "Tracing | None":
    """Traces of what happens from now on, where they are wanted and can be made. identity: the journal's."""
    if not is_wanted(environ):
        return None
    for name, spoken in (("OTEL_TRACES_EXPORTER", "otlp"), ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
                         ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")):  # fmt: skip
        if (given := environ.get(name, "").strip()) not in ("", spoken):
            log.warning(f'no traces: {name} is "{given}", and only "{spoken}" is spoken here')
            return None
    try:
        exports = Exports(environ)
    except ModuleNotFoundError as error:
        log.warning(f"no traces: OpenTelemetry is not installed ({error.name} is missing): {_INSTALL}")
        return None
    except Exception as error:  # the SDK's, about what stands in its variables; they must not keep a daemon down
        log.warning(f"no traces: OpenTelemetry cannot begin: {error}")
        return None
    tracing = Tracing(exports, Spans(identity), clock, lambda: worker.catalog)
    tracing.follow(worker)
    dialler.traceparent = tracing.traceparent
    log.info("traces are exported", endpoint=exports.endpoint)
    return tracing


class Tracing:
    """Makes spans of what the worker tells. On the loop's thread."""

    def __init__(self, exports: "Exports", spans: Spans, clock: Clock, catalog: Callable[[], Catalog]) -> None:
        self._exports = exports
        self._spans = spans
        self._clock = clock
        self._catalog = catalog
        self._senders: OrderedDict[int, Spot] = OrderedDict()  # of events, by event
        self._answers: OrderedDict[int, list[Spot]] = OrderedDict()  # events that waits took, by run

    def follow(self, worker: Worker) -> None:
        """Be told of what happens from now on."""
        worker.on_routed.append(self._routed)
        worker.on_answered.append(self._answered)
        worker.on_advanced.append(self._advanced)

    def traceparent(self, command_id: str) -> str | None:
        """What an `http` step says to the server; None where the run's trace is not among those that are exported."""
        with _Harmless():
            spot = self._spans.of_command(command_id)
            return str(spot) if self._exports.is_sampled(spot) else None
        return None

    async def close(self) -> None:
        """Export what there is, for a few seconds at most."""
        done = asyncio.Event()
        loop = asyncio.get_running_loop()

        def shut_down() -> None:
            with _Harmless():
                self._exports.close()
            with contextlib.suppress(RuntimeError):  # the loop did not wait for it
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=shut_down, daemon=True).start()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), _PATIENCE_S)

    # --- what is told -----------------------------------------------------------------------------------------------

    def _routed(self, event: Event, matched: Sequence[str], refused: Mapping[str, str]) -> None:
        with _Harmless():
            self._note(event, [name for name in matched if name not in refused])

    def _answered(self, event: Event, run_id: int) -> None:
        with _Harmless():
            _put(self._answers, run_id, [*self._answers.get(run_id, ()), self._note(event, ())])

    def _advanced(self, before: Run | None, after: Run) -> None:
        with _Harmless():
            if not self._exports.is_sampled(self._spans.of_run(after.id)):
                return
            events = self._answers.get(after.id, [])
            if before is None:
                events = [self._spans.of_event(after.event_id, self._senders.get(after.event_id)), *events]
            elif before.trace == after.trace and not after.is_final:
                return
            found = self._spans.of_step_of(before, after, self._catalog().flow(after.digest), events)
            if found:
                self._answers.pop(after.id, None)
                self._exports.add(found)
            elif before is None:
                _put(self._answers, after.id, events)  # for the first segment, when it ends

    def _note(self, event: Event, flows: Sequence[str]) -> Spot:
        sender = self._senders.get(event.id)
        if sender is None and event.kind == "webhook":
            sender = read_traceparent(event.fields.get("headers", {}).get("traceparent"))
            if sender is not None:
                _put(self._senders, event.id, sender)
        spot = self._spans.of_event(event.id, sender)
        if self._exports.is_sampled(spot):
            self._exports.add([self._spans.event(event, self._clock.now(), sender, flows)])
        return spot


class Exports:
    """The SDK: a provider whose spans get the ids that we say, with sampler and limits from the environment."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Raises ModuleNotFoundError where the extra is not installed."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import IdGenerator

        class Ids(IdGenerator):
            next = Spot(1, 1)

            def generate_trace_id(self) -> int:
                return self.next.trace_id

            def generate_span_id(self) -> int:
                return self.next.span_id

        complaints = logging.getLogger("opentelemetry.exporter")  # told once, as one of our lines
        complaints.addHandler(logging.NullHandler())
        complaints.propagate = False
        resource = Resource.create({"service.version": __version__})
        if "OTEL_SERVICE_NAME" not in environ and "service.name=" not in environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
            resource = resource.merge(Resource({SERVICE_NAME: "sinchflow"}))
        exporter = OTLPSpanExporter()
        self.endpoint = _without_login(str(getattr(exporter, "_endpoint", "")))
        self._ids = Ids()
        self._provider = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(_watched(exporter, self.endpoint)))
        self._tracer = self._provider.get_tracer("sinchflow", __version__)

    def is_sampled(self, spot: Spot) -> bool:
        """Whether spans of this trace are exported."""
        from opentelemetry.sdk.trace.sampling import Decision

        sampled = self._provider.sampler.should_sample(None, spot.trace_id, "run")
        return sampled.decision is Decision.RECORD_AND_SAMPLE

    def add(self, found: Sequence[SpanData]) -> None:
        """Hand spans over for export."""
        from opentelemetry.context import Context
        from opentelemetry.trace import Link, NonRecordingSpan, SpanKind, Status, StatusCode, set_span_in_context

        for each in found:
            self._ids.next = each.spot
            parent = Context()
            if each.parent is not None:
                is_sampled = self.is_sampled(each.spot)
                parent = set_span_in_context(NonRecordingSpan(_context(each.parent, is_sampled=is_sampled)), parent)
            span = self._tracer.start_span(
                each.name, context=parent, kind=SpanKind[each.kind.upper()], attributes=each.attributes,
                links=[Link(_context(link)) for link in each.links], start_time=_nanoseconds(each.start),
            )  # fmt: skip
            if each.problem is not None:
                span.set_status(Status(StatusCode.ERROR, each.problem))
            span.end(_nanoseconds(each.end))

    def close(self) -> None:
        """Export what there is; blocks."""
        self._provider.shutdown()


def _context(spot: Spot, *, is_sampled: bool = True) -> "SpanContext":
    from opentelemetry.trace import SpanContext, TraceFlags

    return SpanContext(spot.trace_id, spot.span_id, is_remote=False, trace_flags=TraceFlags(int(is_sampled)))


def _without_login(url: str) -> str:
    """An address for the log: scheme, host and path, in which nobody writes tokens."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _watched(exporter: "SpanExporter", endpoint: str) -> "SpanExporter":
    """The exporter, whose failures are told once until it works again."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Watched(SpanExporter):
        is_failing = False

        def export(self, spans: "Sequence[ReadableSpan]") -> SpanExportResult:
            try:
                result = exporter.export(spans)
            except Exception:  # whatever it is, it costs spans and nothing else
                result = SpanExportResult.FAILURE
            is_failing = result is not SpanExportResult.SUCCESS
            if is_failing and not self.is_failing:
                log.warning("traces cannot be exported; what has happened meanwhile is not traced", endpoint=endpoint)
            elif self.is_failing and not is_failing:
                log.info("traces are exported again", endpoint=endpoint)
            self.is_failing = is_failing
            return result

        def shutdown(self) -> None:
            exporter.shutdown()

    return Watched()


def _nanoseconds(when: datetime) -> int:
    seconds = int(when.timestamp())
    return seconds * 1_000_000_000 + when.microsecond * 1_000


def _put(kept: OrderedDict[int, Any], key: int, value: Any) -> None:
    kept[key] = value
    if len(kept) > _MOST_KEPT:
        kept.popitem(last=False)


class _Harmless:
    """A bug of ours in here costs spans; runs go on."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        if isinstance(error, Exception):
            log.error("internal error while tracing; the run goes on", exc_info=error)
        return kind is None or issubclass(kind, Exception)
