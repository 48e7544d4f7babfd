SELECT service, count(*) AS lookups, avg(CAST(CAST(attributes['app.cache.hit'] AS BOOLEAN) AS INT))
FROM spans WHERE attributes['app.cache.hit'] IS NOT NULL GROUP BY service ORDER BY lookups DESC, service
