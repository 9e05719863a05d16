"""The three stages. A message is acknowledged when its transaction and the next message are safe."""

import time

from celery.exceptions import Reject
from sqlalchemy.exc import OperationalError

import database
import document
import payment
from broker import app, publish
from shows import show

CONFIRM_SECS_MAX = 10
# What fails at once again would soon have been delivered as often as it may.
GIVE_BACK_SECS = 1
# Deadlocks, and a database that is away.
RETRY = {
    "autoretry_for": (OperationalError,),
    "retry_backoff": True,
    "retry_backoff_max": 30,
    "max_retries": None,
}


@app.task(name="hold", **RETRY)
def hold(booking: dict) -> None:
    # Also when an earlier delivery held it and then failed to say so.
    if database.hold(booking) == "held":
        pass_on(capture, booking)


@app.task(name="capture", **RETRY)
def capture(booking: dict) -> None:
    amount_cents = show(booking["show_id"]).price_cents * len(booking["seats"])
    payment_id = payment.capture(booking["id"], amount_cents)
    database.capture(booking["id"], payment_id, amount_cents)
    pass_on(ticket, booking)


@app.task(name="ticket", **RETRY)
def ticket(booking: dict) -> None:
    pdf = document.render(show(booking["show_id"]), booking["seats"], booking["name"])
    database.confirm(booking["id"], pdf)


def pass_on(task, booking: dict) -> None:
    try:
        publish(task, booking, CONFIRM_SECS_MAX)
    except Exception as error:
        time.sleep(GIVE_BACK_SECS)
        raise Reject(error, requeue=True) from error
