SELECT attributes['db.collection.name'] AS "table", attributes['db.operation.name'] AS operation, count(*),
       CAST(sum(duration_ns) / 1000000 AS DOUBLE) AS total_ms, max(CAST(attributes['db.response.returned_rows'] AS DOUBLE))
FROM spans WHERE attributes['db.system.name'] = 'postgresql' GROUP BY ALL ORDER BY total_ms DESC, "table", operation
