"""Pushes documents with Elasticsearch's own client: python3 elasticsearch_bulk.py URL TRACE_ID"""

import datetime
import sys

from elasticsearch import Elasticsearch, helpers

url, trace = sys.argv[1:]
client = Elasticsearch(url, request_timeout=20)
assert client.ping()
assert int(client.info()["version"]["number"].split(".")[0]) >= 8
assert client.cluster.health()["status"] == "green"
assert client.license.get()["license"]["status"] == "active"
client.indices.put_index_template(name="logs", index_patterns=["logs-*"], data_stream={})
assert client.indices.exists(index="logs-app")


def document(text, **more):
    now = datetime.datetime.now(datetime.timezone.utc)
    return {"@timestamp": now, "message": text, "service": {"name": "py-es"}, "trace": {"id": trace}, **more}


answer = client.index(index="logs-app", document=document("indexed — ünïcödé", n=1))
assert answer["result"] == "created", answer
actions = ({"_op_type": "create", "_index": "logs-app", "_source": document("placed", n=n)} for n in range(500))
kept, errors = helpers.bulk(client, actions, chunk_size=200)
assert (kept, errors) == (500, []), (kept, errors)
broken = [{"_op_type": "create", "_index": "Upper", "_source": document("bad")}]
kept, errors = helpers.bulk(client, broken, raise_on_error=False)
assert kept == 0 and errors[0]["create"]["status"] == 400, errors
