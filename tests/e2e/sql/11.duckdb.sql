SELECT a.service, b.service, count(*) AS calls, sum(CAST(b.status_code = 'error' AS INT))
FROM spans AS b, spans AS a
WHERE a.trace_id = b.trace_id AND a.span_id = b.parent_span_id AND a.service <> b.service
GROUP BY a.service, b.service ORDER BY calls DESC, a.service, b.service
