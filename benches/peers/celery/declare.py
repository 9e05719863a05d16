"""Creates the queues and the tables. May be run again."""

from pathlib import Path

from kombu.transport.native_delayed_delivery import (
    bind_queue_to_native_delayed_delivery_exchange,
    declare_native_delayed_delivery_exchanges_and_queues,
)
from sqlalchemy import text

import broker
import database

SCHEMA = Path(__file__).parent.parent / "schema.sql"


def declare_queues() -> None:
    with broker.app.connection_for_write() as connection:
        for queue in [*broker.QUEUES, broker.FAILED_QUEUE]:
            queue(connection.default_channel).declare()
        # Where tasks wait for their next attempt. A worker declares them too; here nobody waits for it.
        declare_native_delayed_delivery_exchanges_and_queues(connection, "quorum")
        for queue in broker.QUEUES:
            bind_queue_to_native_delayed_delivery_exchange(connection, queue)


def apply_schema() -> None:
    with database.engine.begin() as connection:
        for statement in SCHEMA.read_text().split(";"):
            if statement.strip():
                connection.execute(text(statement))


if __name__ == "__main__":
    declare_queues()
    apply_schema()
