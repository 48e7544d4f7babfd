"""Logs two lines with python-logging-loki, as an application does."""

import logging
import sys

import logging_loki

handler = logging_loki.LokiHandler(url=sys.argv[1], tags={"app": "py-loki"}, version="1")
logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)
logger.addHandler(handler)
logger.info("order placed — ünïcödé")
logger.error('{"level":"error","trace_id":"%s","ms":12}' % sys.argv[2], extra={"tags": {"order": "42"}})
