SELECT span_id, parent_span_id, service, name, duration_ns // 1000, status_code
FROM spans WHERE trace_id = '4bf92f3577b34da6a3ce929d0e0e4736' ORDER BY start_ns, span_id
