WITH calls AS (
  SELECT trace_id, parent_span_id, service, name, count(*) AS calls, bool_or(status_code = 'error') AS failed
  FROM spans WHERE kind = 'client' AND parent_span_id IS NOT NULL GROUP BY ALL
)
SELECT service, name, count(*) AS parents, max(calls) FROM calls WHERE calls > 1 AND failed
GROUP BY ALL ORDER BY parents DESC, service, name
