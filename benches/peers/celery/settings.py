"""What the environment says."""

import os

AMQP_URL = os.environ["PEER_AMQP_URL"]
MYSQL_URL = os.environ["PEER_MYSQL_URL"]
HTTP_PORT = int(os.environ.get("PEER_HTTP_PORT", "8000"))
