"""Books seats as a partner: publishes `booking.submit.v1`, prints the reply and the events until the booking ended.

    python partner.py SHOW_ID SEAT [SEAT ...]

BOXOFFICE_PARTNER_URL holds user, password, host and vhost, such as amqp://acme.1:secret@127.0.0.1:5672/partners.
"""

import datetime
import json
import os
import sys
import uuid

import pika

CONTENT_TYPE = "application/cloudevents+json"
ENDS = {"completed", "rejected", "payment_failed", "expired", "cancelled", "refunded"}
# Silence beyond this is a fault: the house says `partner.alive.v1` every few seconds.
SILENCE_SECS_MAX = 60


def submit(show_id: str, seats: list[str], story: str) -> dict:
    return {
        "specversion": "1.0",
        # The same id is the same message: whoever gets no confirm sends the very same again.
        "id": str(uuid.uuid4()),
        "source": "urn:example:partner",
        "type": "booking.submit.v1",
        "time": datetime.datetime.now(datetime.timezone.utc).isoformat(),
        "datacontenttype": "application/json",
        "correlationid": story,
        # Names the wish: the same key is the same booking, whatever the message's id is.
        "idempotencykey": story,
        "data": {
            "show_id": show_id,
            "positions": [{"seat_id": seat} for seat in seats],
            "customer": {"email": "ada@example.org", "name": "Ada Byron", "locale": "en"},
            "tender": "partner_credit",
            "reference": story[:64],
        },
    }


def publish(channel, partner: str, user: str, event: dict) -> None:
    """Returns when the broker has stored it; raises when it refuses it, or when no queue takes it."""
    channel.basic_publish(
        exchange=f"partner.{partner}.in",
        routing_key=event["type"],
        body=json.dumps(event).encode(),
        mandatory=True,
        properties=pika.BasicProperties(
            content_type=CONTENT_TYPE,
            type=event["type"],
            message_id=event["id"],
            correlation_id=event["correlationid"],
            # Proves who sent it: the broker refuses any other name, and the gate a message without one.
            user_id=user,
            delivery_mode=pika.DeliveryMode.Persistent,
        ),
    )


def follow(channel, queue: str, message_id: str, story: str) -> str:
    """Prints what belongs to the story; returns the status that it ended with. Others' messages are only read."""
    seen: set[str] = set()
    for method, _, body in channel.consume(queue, inactivity_timeout=SILENCE_SECS_MAX):
        if method is None:
            raise TimeoutError(f"nothing on {queue} for {SILENCE_SECS_MAX} s")
        event = json.loads(body)
        channel.basic_ack(method.delivery_tag)
        # Delivery is at least once: an id that was seen is the same message again.
        if event["id"] in seen:
            continue
        seen.add(event["id"])
        data = event["data"]
        if event["type"] == "partner.reply.v1" and data.get("message_id") == message_id:
            print("reply", data["outcome"], data.get("booking_id", ""), flush=True)
            if data["outcome"] != "accepted":
                raise SystemExit(json.dumps(data.get("problem"), indent=2))
        elif event.get("correlationid") == story and event["type"].startswith("booking."):
            # The event may come before the reply.
            print("event", event["type"], data["version"], data["status"], data.get("code", ""), flush=True)
            if data["status"] in ENDS:
                return data["status"]
    raise ConnectionError("the broker ended the consumer")


def main() -> None:
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    parameters = pika.URLParameters(os.environ["BOXOFFICE_PARTNER_URL"])
    user = parameters.credentials.username
    partner = user.split(".")[0]
    story = f"example-{uuid.uuid4()}"
    event = submit(sys.argv[1], sys.argv[2:], story)
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_qos(prefetch_count=50)
        publish(channel, partner, user, event)
        status = follow(channel, f"partner.{partner}.out.all", event["id"], story)
    if status != "completed":
        raise SystemExit(f"ended as {status}")


if __name__ == "__main__":
    main()
