SELECT strftime(make_timestamp(start_ns // 1000), '%Y-%m-%dT%H:%M:%S.%f') || printf('%03d', start_ns % 1000) || 'Z',
       service, name, status_message, trace_id
FROM spans WHERE status_code = 'error' ORDER BY start_ns DESC, span_id LIMIT 20
