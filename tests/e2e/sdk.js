// Sends one trace with the OpenTelemetry SDK in JSON, as an application does, and prints its id.
const { SpanKind, SpanStatusCode, trace, context } = require("@opentelemetry/api");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { BatchSpanProcessor, NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");

const [name, endpoint] = process.argv.slice(2);
const exporter =
  name === "otlp"
    ? new (require("@opentelemetry/exporter-trace-otlp-http").OTLPTraceExporter)({ url: endpoint })
    : new (require("@opentelemetry/exporter-zipkin").ZipkinExporter)({ url: endpoint });
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": "sdk-test" }),
  spanProcessors: [new BatchSpanProcessor(exporter)],
});
const tracer = provider.getTracer("e2e", "1.2.3");

const span = tracer.startSpan("GET /orders/{id}", { kind: SpanKind.SERVER });
span.setAttributes({ "http.response.status_code": 503, "app.ratio": 0.25, "app.vip": true, "app.list": ["a", "b"] });
const within = trace.setSpan(context.active(), span);
const child = tracer.startSpan("SELECT orders", { kind: SpanKind.CLIENT }, within);
child.setAttribute("db.query.text", "SELECT 1 -- ünïcödé");
child.end();
span.recordException(new Error("no such order"));
span.setStatus({ code: SpanStatusCode.ERROR, message: "no such order" });
span.end();

provider.shutdown().then(() => console.log(span.spanContext().traceId));
