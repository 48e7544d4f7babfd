SELECT strftime(date_trunc('minute', make_timestamp(start_ns // 1000)), '%Y-%m-%dT%H:%M:%S.000000000Z') AS minute, service, count(*)
FROM spans GROUP BY ALL ORDER BY minute, service
