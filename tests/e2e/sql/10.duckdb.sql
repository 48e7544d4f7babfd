SELECT service, count(*), sum(adjusted_count) AS estimated, sum(CASE WHEN status_code = 'error' THEN adjusted_count END)
FROM spans WHERE kind = 'server' OR kind = 'consumer' GROUP BY service ORDER BY estimated DESC, service
