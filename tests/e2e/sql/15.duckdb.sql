SELECT service, pod, requests, mean_ns / (SELECT avg(duration_ns) FROM spans AS s WHERE s.kind = 'server' AND s.service = pods.service) AS slower
FROM (
  SELECT service, resource['k8s.pod.name'] AS pod, count(*) AS requests, avg(duration_ns) AS mean_ns
  FROM spans WHERE kind = 'server' GROUP BY ALL
) AS pods
WHERE pod IS NOT NULL ORDER BY slower DESC, pod LIMIT 20
