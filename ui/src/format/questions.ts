// The fifteen questions of docs/sql.md, to begin with. A test compares them with that page.

export interface Question {
  title: string;
  sql: string;
}

export const QUESTIONS: readonly Question[] = [
  {
    title: "Errors by service",
    sql: String.raw`SELECT service, count(*) AS spans, count(*) FILTER (WHERE status_code = 'error') AS errors,
       round(100.0 * count(*) FILTER (WHERE status_code = 'error') / count(*), 2) AS percent
FROM spans
GROUP BY service
ORDER BY errors DESC, service`,
  },
  {
    title: "The slowest operations",
    sql: String.raw`SELECT service, name, count(*) AS calls, p50(duration_ns) / 1e6 AS p50_ms, p99(duration_ns) / 1e6 AS p99_ms
FROM spans
WHERE kind = 'server'
GROUP BY service, name
ORDER BY max(duration_ns) DESC
LIMIT 20`,
  },
  {
    title: "One trace",
    sql: String.raw`SELECT span_id, parent_span_id, service, name, duration_ns / 1000 AS us, status_code
FROM spans
WHERE trace_id = '4bf92f3577b34da6a3ce929d0e0e4736'
ORDER BY start_time, span_id`,
  },
  {
    title: "The newest errors",
    sql: String.raw`SELECT start_time, service, name, status_message, trace_id
FROM spans
WHERE status_code = 'error'
ORDER BY start_time DESC, span_id
LIMIT 20`,
  },
  {
    title: "What an attribute is made of",
    sql: String.raw`SELECT attributes['http.route'] AS route, attributes['http.response.status_code'] AS status, count(*) AS requests
FROM spans
WHERE kind = 'server' AND attributes['http.route'] IS NOT NULL
GROUP BY route, status
ORDER BY requests DESC, route, status`,
  },
  {
    title: "Exceptions by type",
    sql: String.raw`SELECT regexp_match(events, '"exception\.type":"([^"]*)"')[1] AS exception, service, count(*) AS spans
FROM spans
WHERE events LIKE '%"exception.type"%'
GROUP BY exception, service
ORDER BY spans DESC, exception, service`,
  },
  {
    title: "Throughput by minute",
    sql: String.raw`SELECT date_bin(INTERVAL '1 minute', start_time) AS minute, service, count(*) AS spans
FROM spans
WHERE start_time > now() - INTERVAL '1 hour'
GROUP BY minute, service
ORDER BY minute, service`,
  },
  {
    title: "Retries: the same call again within one parent",
    sql: String.raw`SELECT service, name, count(*) AS parents, max(calls) AS most_calls
FROM (
  SELECT trace_id, parent_span_id, service, name, count(*) AS calls, count(*) FILTER (WHERE status_code = 'error') AS failed
  FROM spans
  WHERE kind = 'client' AND parent_span_id IS NOT NULL
  GROUP BY trace_id, parent_span_id, service, name
)
WHERE calls > 1 AND failed > 0
GROUP BY service, name
ORDER BY parents DESC, service, name`,
  },
  {
    title: "N+1: one parent, many equal statements",
    sql: String.raw`SELECT service, statement, count(*) AS parents, max(times) AS most_times
FROM (
  SELECT trace_id, parent_span_id, service, attributes['db.query.text'] AS statement, count(*) AS times
  FROM spans
  WHERE attributes['db.system.name'] = 'postgresql'
  GROUP BY trace_id, parent_span_id, service, statement
)
WHERE times >= 2
GROUP BY service, statement
ORDER BY parents DESC, service, statement`,
  },
  {
    title: "How much there was before sampling",
    sql: String.raw`SELECT service, count(*) AS spans_kept, sum(adjusted_count) AS spans_estimated,
       sum(adjusted_count) FILTER (WHERE status_code = 'error') AS errors_estimated
FROM spans
WHERE kind IN ('server', 'consumer')
GROUP BY service
ORDER BY spans_estimated DESC, service`,
  },
  {
    title: "Who calls whom",
    sql: String.raw`SELECT caller.service AS caller, callee.service AS callee, count(*) AS calls,
       count(*) FILTER (WHERE callee.status_code = 'error') AS errors
FROM spans AS callee
JOIN spans AS caller ON caller.trace_id = callee.trace_id AND caller.span_id = callee.parent_span_id
WHERE caller.service <> callee.service
GROUP BY caller.service, callee.service
ORDER BY calls DESC, caller, callee`,
  },
  {
    title: "The largest traces",
    sql: String.raw`SELECT trace_id, count(*) AS spans, count(DISTINCT service) AS services, max(duration_ns) AS longest_ns
FROM spans
GROUP BY trace_id
ORDER BY spans DESC, trace_id
LIMIT 10`,
  },
  {
    title: "Slow database statements",
    sql: String.raw`SELECT attributes['db.collection.name'] AS "table", attributes['db.operation.name'] AS operation, count(*) AS calls,
       sum(duration_ns) / 1000000 AS total_ms, max(attr_num(attributes['db.response.returned_rows'])) AS most_rows
FROM spans
WHERE attributes['db.system.name'] = 'postgresql'
GROUP BY "table", operation
ORDER BY total_ms DESC, "table", operation`,
  },
  {
    title: "Cache hits",
    sql: String.raw`SELECT service, count(*) AS lookups, avg(CASE WHEN attr_bool(attributes['app.cache.hit']) THEN 1.0 ELSE 0.0 END) AS hit_share
FROM spans
WHERE attributes['app.cache.hit'] IS NOT NULL
GROUP BY service
ORDER BY lookups DESC, service`,
  },
  {
    title: "Slow for whom: pods that are slower than their service",
    sql: String.raw`WITH pods AS (
  SELECT service, resource['k8s.pod.name'] AS pod, count(*) AS requests, avg(duration_ns) AS mean_ns
  FROM spans
  WHERE kind = 'server'
  GROUP BY service, pod
), services AS (
  SELECT service, avg(duration_ns) AS mean_ns FROM spans WHERE kind = 'server' GROUP BY service
)
SELECT pods.service, pods.pod, pods.requests, pods.mean_ns / services.mean_ns AS times_slower
FROM pods
JOIN services ON pods.service = services.service
WHERE pods.pod IS NOT NULL
ORDER BY times_slower DESC, pod
LIMIT 20`,
  },
];
