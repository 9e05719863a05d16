"""The Celery application, its queues, and publishing with a confirm."""

from celery import Celery
from celery.signals import worker_process_init
from kombu import Exchange, Queue

import database
import settings

STAGES = ("hold", "capture", "ticket")
FAILED = "failed"
# One per thread of the intake; a process of a worker uses one.
CONNECTIONS_MAX = 16

# Delayed retries need a topic exchange: Celery refuses them on direct ones with quorum queues.
EXCHANGE = Exchange("bookings", type="topic", durable=True)

QUORUM = {"x-queue-type": "quorum"}
ARGUMENTS = QUORUM | {
    "x-delivery-limit": 20,
    "x-dead-letter-exchange": EXCHANGE.name,
    "x-dead-letter-routing-key": FAILED,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}


def queue(name: str, arguments: dict) -> Queue:
    return Queue(name, EXCHANGE, routing_key=name, durable=True, queue_arguments=arguments)


QUEUES = [queue(stage, ARGUMENTS) for stage in STAGES]
FAILED_QUEUE = queue(FAILED, QUORUM)

app = Celery("peer", broker=settings.AMQP_URL, include=["tasks"])
app.conf.update(
    broker_transport_options={"confirm_publish": True},
    broker_pool_limit=CONNECTIONS_MAX,
    broker_connection_retry_on_startup=True,
    # An idle worker sees SIGTERM when its loop ticks, six times for each heartbeat: once a second.
    broker_heartbeat=6,
    broker_heartbeat_checkrate=6,
    task_queues=QUEUES,
    task_default_queue=QUEUES[0].name,
    task_default_queue_type="quorum",
    task_default_exchange=EXCHANGE.name,
    task_default_exchange_type=EXCHANGE.type,
    task_create_missing_queues=False,
    task_routes={stage: {"queue": stage} for stage in STAGES},
    task_acks_late=True,
    task_acks_on_failure=False,
    task_acks_on_timeout=False,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=16,
    worker_enable_remote_control=False,
)


@worker_process_init.connect
def forget_connections_of_the_parent(**_) -> None:
    database.engine.dispose(close=False)


def publish(task, booking: dict, timeout_secs: float) -> None:
    """Returns when the broker has stored it in a queue; raises otherwise."""
    with app.producer_pool.acquire(block=True, timeout=timeout_secs) as producer:
        try:
            task.apply_async(
                (booking,), producer=producer, mandatory=True, confirm_timeout=timeout_secs, retry=False
            )
        except Exception:
            # A confirm that comes late would be taken for that of the next message.
            producer.connection.collect()
            raise


def check() -> None:
    """Raises when the broker doesn't answer."""
    with app.pool.acquire(block=True, timeout=2) as connection:
        try:
            connection.ensure_connection(max_retries=1, timeout=2)
            connection.default_channel.queue_declare(QUEUES[0].name, passive=True)
        except Exception:
            connection.collect()
            raise
