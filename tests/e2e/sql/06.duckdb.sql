SELECT json_extract_string(event, '$.attributes."exception.type"') AS exception, service, count(*) AS spans
FROM (SELECT service, unnest(from_json(events, '["JSON"]')) AS event FROM spans WHERE events IS NOT NULL)
WHERE exception IS NOT NULL GROUP BY ALL ORDER BY spans DESC, exception, service
