"""Sends one trace and its log records with the OpenTelemetry SDK, as an application does, and prints its id."""

import sys
import time

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

protocol, endpoint = sys.argv[1:]
if protocol == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter

    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=True)
    log_exporter = OTLPLogExporter(endpoint=endpoint, insecure=True)
else:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

    exporter = OTLPSpanExporter(endpoint=endpoint)
    log_exporter = OTLPLogExporter(endpoint=endpoint.replace("traces", "logs"))

resource = Resource.create({"service.name": "sdk-test"})
provider = TracerProvider(resource=resource)
provider.add_span_processor(BatchSpanProcessor(exporter))
tracer = provider.get_tracer("e2e", "1.2.3")
logger_provider = LoggerProvider(resource=resource)
logger_provider.add_log_record_processor(BatchLogRecordProcessor(log_exporter))
logger = logger_provider.get_logger("e2e", "1.2.3")


def log(body, severity=SeverityNumber.INFO, **attributes):
    logger.emit(LogRecord(timestamp=time.time_ns(), severity_number=severity, body=body, attributes=attributes))


log("before there is a span")

with tracer.start_as_current_span("GET /orders/{id}", kind=trace.SpanKind.SERVER) as span:
    span.set_attribute("http.response.status_code", 503)
    span.set_attribute("app.ratio", 0.25)
    span.set_attribute("app.vip", True)
    span.set_attribute("app.list", ["a", "b"])
    with tracer.start_as_current_span("SELECT orders", kind=trace.SpanKind.CLIENT) as child:
        child.set_attribute("db.query.text", "SELECT 1 -- ünïcödé")
        log({"rows": 0, "table": "orders"})
    log("no such order — ünïcödé", SeverityNumber.ERROR, order=42)
    span.record_exception(ValueError("no such order"))
    span.set_status(trace.StatusCode.ERROR, "no such order")
    trace_id = span.get_span_context().trace_id

provider.shutdown()
logger_provider.shutdown()
print(f"{trace_id:032x}")
