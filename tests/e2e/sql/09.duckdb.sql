WITH statements AS (
  SELECT service, attributes['db.query.text'] AS statement, count(*) AS times
  FROM spans WHERE attributes['db.system.name'] = 'postgresql' GROUP BY trace_id, parent_span_id, service, statement
)
SELECT service, statement, count(*) AS parents, max(times) FROM statements WHERE times >= 2
GROUP BY ALL ORDER BY parents DESC, service, statement
