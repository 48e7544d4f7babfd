SELECT trace_id, count(*) AS spans, count(DISTINCT service), max(duration_ns)
FROM spans GROUP BY trace_id ORDER BY spans DESC, trace_id LIMIT 10
