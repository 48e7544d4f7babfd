SELECT attributes['http.route'] AS route, attributes['http.response.status_code'] AS status, count(*) AS requests
FROM spans WHERE kind = 'server' AND attributes['http.route'] IS NOT NULL
GROUP BY ALL ORDER BY requests DESC, route, status
