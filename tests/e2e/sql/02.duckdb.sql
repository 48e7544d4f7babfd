SELECT service, name, count(*), quantile_disc(duration_ns, 0.5) / 1e6, quantile_disc(duration_ns, 0.99) / 1e6
FROM spans WHERE kind = 'server' GROUP BY service, name ORDER BY max(duration_ns) DESC LIMIT 20
