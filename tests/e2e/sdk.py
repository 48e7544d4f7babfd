"""Sends one trace with the OpenTelemetry SDK, as an application does, and prints its id."""

import sys

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

protocol, endpoint = sys.argv[1:]
if protocol == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=True)
else:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(endpoint=endpoint)

provider = TracerProvider(resource=Resource.create({"service.name": "sdk-test"}))
provider.add_span_processor(BatchSpanProcessor(exporter))
tracer = provider.get_tracer("e2e", "1.2.3")

with tracer.start_as_current_span("GET /orders/{id}", kind=trace.SpanKind.SERVER) as span:
    span.set_attribute("http.response.status_code", 503)
    span.set_attribute("app.ratio", 0.25)
    span.set_attribute("app.vip", True)
    span.set_attribute("app.list", ["a", "b"])
    with tracer.start_as_current_span("SELECT orders", kind=trace.SpanKind.CLIENT) as child:
        child.set_attribute("db.query.text", "SELECT 1 -- ünïcödé")
    span.record_exception(ValueError("no such order"))
    span.set_status(trace.StatusCode.ERROR, "no such order")
    trace_id = span.get_span_context().trace_id

provider.shutdown()
print(f"{trace_id:032x}")
