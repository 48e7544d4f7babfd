// Logs two lines with pino and pino-loki, as an application does.
const pino = require("pino");

const [host, traceId] = process.argv.slice(2);
const transport = pino.transport({
  target: "pino-loki",
  options: { host, batching: { interval: 1 }, labels: { application: "js-loki" } },
});
const logger = pino({ level: "info" }, transport);
logger.info({ trace_id: traceId, ms: 12 }, "order placed — ünïcödé");
logger.error(new Error("no such order"), "failed");
transport.end();
