SELECT service, count(*), sum(CAST(status_code = 'error' AS INT)) AS errors,
       round(100.0 * sum(CAST(status_code = 'error' AS INT)) / count(*), 2)
FROM spans GROUP BY service ORDER BY errors DESC, service
