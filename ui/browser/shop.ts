// A shop's traffic as OTLP/JSON, the same at each run: quiet at first, then version 1.8.0 of payment fails and is slow.

type Value = string | number | boolean;

export interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  /** ms */
  start: number;
  /** ms */
  duration: number;
  service: string;
  version?: string;
  failed?: string;
  attributes?: Record<string, Value>;
  exception?: { type: string; message: string; stack: string };
}

/** A generator with a seed: the same numbers each time. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export const hex = (value: number, digits: number) => value.toString(16).padStart(digits, "0");
export const traceId = (group: number, number: number) => `${hex(group, 8)}${hex(0xabcdef, 8)}${hex(number, 16)}`;

const pairs = (attributes: Record<string, Value>) =>
  Object.entries(attributes).map(([key, value]) => ({
    key,
    value:
      typeof value === "string"
        ? { stringValue: value }
        : typeof value === "boolean"
          ? { boolValue: value }
          : Number.isInteger(value)
            ? { intValue: String(value) }
            : { doubleValue: value },
  }));

const ns = (ms: number) => String(BigInt(Math.round(ms * 1000)) * 1000n);

export function otlp(spans: readonly Span[]) {
  const byResource = new Map<string, Span[]>();
  for (const span of spans) {
    const key = `${span.service}\n${span.version ?? "1.0.0"}`;
    const list = byResource.get(key) ?? [];
    list.push(span);
    byResource.set(key, list);
  }
  return {
    resourceSpans: [...byResource].map(([key, list]) => {
      const [service, version] = key.split("\n") as [string, string];
      return {
        resource: {
          attributes: pairs({ "service.name": service, "service.version": version, "k8s.pod.name": `${service}-7f9c` }),
        },
        scopeSpans: [
          {
            scope: { name: "shop" },
            spans: list.map((span) => ({
              traceId: span.traceId,
              spanId: span.spanId,
              parentSpanId: span.parentSpanId ?? "",
              name: span.name,
              kind: span.kind,
              startTimeUnixNano: ns(span.start),
              endTimeUnixNano: ns(span.start + span.duration),
              attributes: pairs(span.attributes ?? {}),
              status: span.failed === undefined ? {} : { code: 2, message: span.failed },
              events: span.exception
                ? [
                    {
                      timeUnixNano: ns(span.start + span.duration / 2),
                      name: "exception",
                      attributes: pairs({
                        "exception.type": span.exception.type,
                        "exception.message": span.exception.message,
                        "exception.stacktrace": span.exception.stack,
                      }),
                    },
                  ]
                : [],
            })),
          },
        ],
      };
    }),
  };
}

export async function post(url: string, body: unknown) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  const answer = (await response.json()) as { partialSuccess?: { rejectedSpans?: string; errorMessage?: string } };
  if (answer.partialSuccess?.errorMessage) throw new Error(`${url}: ${answer.partialSuccess.errorMessage}`);
}

export const send = (to: string, spans: readonly Span[]) => post(`${to}/v1/traces`, otlp(spans));

const SERVER = 2;
const CLIENT = 3;

/** One order: web → checkout → payment → a gateway, checkout → postgres. */
export function order(number: number, start: number, roll: () => number, incident: boolean): Span[] {
  const id = traceId(1, number);
  const canary = roll() < 0.3;
  const bad = incident && canary;
  const failed = bad && roll() < 0.4;
  const charge = (bad ? 240 : 40) + roll() * 20;
  const span = (
    index: number,
    parent: number | null,
    service: string,
    name: string,
    kind: number,
    from: number,
    duration: number,
  ): Span => ({
    traceId: id,
    spanId: hex(number * 16 + index + 1, 16),
    ...(parent === null ? {} : { parentSpanId: hex(number * 16 + parent + 1, 16) }),
    name,
    kind,
    start: start + from,
    duration,
    service,
  });
  const spans = [
    span(0, null, "web", "POST /order", SERVER, 0, charge + 40),
    span(1, 0, "web", "POST", CLIENT, 2, charge + 34),
    span(2, 1, "checkout", "POST /order", SERVER, 4, charge + 30),
    span(3, 2, "checkout", "SELECT items", CLIENT, 6, 8 + roll() * 4),
    span(4, 2, "checkout", "Charge", CLIENT, 20, charge + 8),
    span(5, 4, "payment", "Charge", SERVER, 22, charge),
    span(6, 5, "payment", "POST gateway", CLIENT, 26, charge - 10),
  ];
  spans[3]!.attributes = { "db.system.name": "postgresql", "db.query.text": "SELECT * FROM items WHERE id = $1" };
  for (const one of [spans[5]!, spans[6]!]) one.version = canary ? "1.8.0" : "1.7.4";
  spans[2]!.attributes = {
    "http.route": "/order",
    "http.response.status_code": failed ? 500 : 200,
    "app.cart.items": Math.floor(roll() * 40),
  };
  if (failed) {
    for (const index of [0, 2, 4, 5]) spans[index]!.failed = "charge failed";
    spans[5]!.exception = {
      type: "GatewayTimeout",
      message: "the gateway did not answer within 200 ms",
      stack:
        "GatewayTimeout: the gateway did not answer\n    at Gateway.charge (gateway.ts:121)\n    at Charge.handle (charge.ts:44)",
    };
  }
  return spans;
}

export const LARGE = traceId(2, 50_000);
export const NASTY = traceId(3, 1);
export const CIRCLE = traceId(3, 2);
export const XSS = `"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>`;

/** A trace of 50,000 spans, ten levels deep. */
export function large(start: number, count = 50_000): Span[] {
  const roll = random(3);
  const services = ["bulk-a", "bulk-b", "bulk-c", "bulk-d", "bulk-e", "bulk-f"];
  const spans: Span[] = [];
  for (let index = 0; index < count; index += 1) {
    const parent = index === 0 ? null : Math.floor((index - 1) / 4);
    const above = parent === null ? null : spans[parent]!;
    spans.push({
      traceId: LARGE,
      spanId: hex(0x1000_0000 + index, 16),
      ...(above ? { parentSpanId: above.spanId } : {}),
      name: index === 40_000 ? "the needle" : `op ${index % 17}`,
      kind: 1,
      start: above ? above.start + above.duration * 0.1 * roll() : start,
      duration: above ? Math.max(0.01, above.duration * 0.8 * (0.5 + roll() / 2)) : 60_000,
      service: services[index % services.length]!,
      ...(index % 997 === 5 ? { failed: "no" } : {}),
    });
  }
  return spans;
}

export async function sendAll(to: string, now = Date.now()) {
  const roll = random(7);
  const orders: Span[] = [];
  // 20 minutes, an order each two seconds; the incident is in the last five.
  for (let number = 0; number < 600; number += 1) {
    const start = now - 1_200_000 + number * 1990;
    orders.push(...order(number, start, roll, number >= 450));
  }
  for (let at = 0; at < orders.length; at += 1400) await send(to, orders.slice(at, at + 1400));
  const many = large(now - 300_000);
  for (let at = 0; at < many.length; at += 10_000) await send(to, many.slice(at, at + 10_000));
  const nasty = (index: number, more: Partial<Span>): Span => ({
    traceId: NASTY,
    spanId: hex(0x2000_0000 + index, 16),
    name: XSS,
    kind: 2,
    start: now - 100_000,
    duration: 10,
    service: `evil ${XSS}`,
    version: XSS,
    ...more,
  });
  await send(to, [
    nasty(0, {
      failed: XSS,
      attributes: { [XSS]: XSS, long: "x".repeat(1 << 20), "rtl\u202e": "\u202eabc\u200b" },
      exception: { type: XSS, message: XSS, stack: XSS },
    }),
    nasty(1, { parentSpanId: hex(0x2000_0000, 16), duration: 0 }),
    nasty(2, { parentSpanId: hex(0x2fff_ffff, 16), start: now - 100_500 }),
  ]);
  const circle = (index: number, parent: number): Span => ({
    traceId: CIRCLE,
    spanId: hex(0x3000_0000 + index, 16),
    parentSpanId: hex(0x3000_0000 + parent, 16),
    name: `round ${index}`,
    kind: 1,
    start: now - 90_000 + index,
    duration: 5,
    service: "round",
  });
  await send(to, [circle(0, 2), circle(1, 0), circle(2, 1)]);
  await post(`${to}/v1/logs`, {
    resourceLogs: [
      {
        resource: { attributes: pairs({ "service.name": "payment" }) },
        scopeLogs: [
          {
            logRecords: [...Array(20).keys()].map((index) => {
              const number = 580 + index;
              return {
                timeUnixNano: ns(now - 1_200_000 + number * 1990 + 30),
                severityNumber: 9,
                body: { stringValue: `charging order ${number}` },
                traceId: traceId(1, number),
                spanId: hex(number * 16 + 6, 16),
              };
            }),
          },
        ],
      },
    ],
  });
}
