#!/usr/bin/env python3
"""Certifies a partner's connection against a sandbox of Boxoffice, and prints a report.

It plays what an integration lives through: replies, life-cycle events, repetitions, mistakes, lost connections.
Every scenario says what it expects; the report says which came true. Exit code 0: all passed; 1: some failed;
2: it could not be run.

    python certify.py --show demo.club.tonight --json report.json

Connection and credentials come from the environment, so that they stand in no list of processes:

    BOXOFFICE_AMQP_URL     amqps://acme.1:PASSWORD@host:5671/partners
    BOXOFFICE_API          https://tickets.example
    BOXOFFICE_TOKEN        bearer token of the role `partner`
"""

import argparse
import dataclasses
import datetime
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

import pika

CONTENT_TYPE = "application/cloudevents+json"
REPLY_MAX_S = 2.0
"""A reply is promised within this time, at the 99th percentile; single ones get some slack."""
WAIT_S = 30.0
"""How long a scenario waits for what must come."""
POLL_S = 0.2
"""Between two looks at what has no other way to say that it is done."""


class Failed(Exception):
    """A scenario saw something else than it expects."""


@dataclasses.dataclass
class Result:
    name: str
    expects: str
    passed: bool
    seconds: float
    detail: str = ""


class Door:
    """The partner's side: publishes to `in`, and keeps everything that comes from `out`."""

    def __init__(self, url: str):
        self.url = url
        user = urllib.parse.urlsplit(url).username or ""
        self.user = urllib.parse.unquote(user)
        self.partner = self.user.split(".")[0]
        self.seen: list[dict] = []
        self.connect()

    def connect(self) -> None:
        self.connection = pika.BlockingConnection(pika.URLParameters(self.url))
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()
        self.queue = f"partner.{self.partner}.out.certify"
        self.channel.queue_declare(
            self.queue, durable=True, arguments={"x-queue-type": "quorum"}
        )
        self.channel.queue_bind(self.queue, f"partner.{self.partner}.out", "#")

    def close(self) -> None:
        self.channel.queue_delete(self.queue)
        self.connection.close()

    def publish(self, event: dict, key: str | None = None, **changes) -> str:
        """Sends a message with a confirm; returns its id. `changes` spoil it on purpose."""
        body = changes.pop("body", None)
        properties = {
            "content_type": CONTENT_TYPE,
            "delivery_mode": 2,
            "message_id": event.get("id"),
            "type": event.get("type"),
            "user_id": self.user,
            "correlation_id": event.get("correlationid"),
        }
        properties.update(changes)
        self.channel.basic_publish(
            f"partner.{self.partner}.in",
            key or event.get("type", "booking.submit.v1"),
            body if body is not None else json.dumps(event).encode(),
            pika.BasicProperties(**{k: v for k, v in properties.items() if v is not None}),
            mandatory=True,
        )
        return event.get("id", "")

    def take(self, wait_s: float) -> dict | None:
        """The next message from `out`, kept and acknowledged."""
        for method, properties, body in self.channel.consume(
            self.queue, inactivity_timeout=wait_s
        ):
            if method is None:
                return None
            message = json.loads(body)
            message["_key"] = method.routing_key
            self.seen.append(message)
            self.channel.basic_ack(method.delivery_tag)
            return message
        return None

    def until(self, wanted, what: str, wait_s: float = WAIT_S) -> dict:
        """The first message, seen or still to come, that is wanted."""
        for message in self.seen:
            if wanted(message):
                return message
        end = time.monotonic() + wait_s
        while (left := end - time.monotonic()) > 0:
            message = self.take(min(left, 1.0))
            if message is not None and wanted(message):
                return message
        raise Failed(f"{what} did not come within {wait_s:.0f} s")

    def reply_to(self, message_id: str, wait_s: float = WAIT_S) -> dict:
        def wanted(message: dict) -> bool:
            return (
                message["type"] == "partner.reply.v1"
                and message["data"].get("message_id") == message_id
            )

        return self.until(wanted, f"the reply to {message_id}", wait_s)

    def event_of(self, booking: str, *kinds: str) -> dict:
        def wanted(message: dict) -> bool:
            data = message["data"]
            return message["type"] in kinds and data.get("booking_id") == booking

        return self.until(wanted, f"{' or '.join(kinds)} of booking {booking}")


class Api:
    def __init__(self, base: str, token: str):
        self.base, self.token = base.rstrip("/"), token

    def get(self, path: str) -> dict:
        request = urllib.request.Request(self.base + path)
        request.add_header("authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


@dataclasses.dataclass
class Run:
    door: Door
    api: Api
    show: dict
    taken: set[str] = dataclasses.field(default_factory=set)

    def positions(self, count: int) -> list[dict]:
        """Free places of the show: seats, or places of a category without numbers."""
        seats = self.api.get(f"/v1/shows/{self.show['id']}/seats")["seats"]
        free = [
            s["seat_id"]
            for s in seats
            if s["state"] == "free" and s["seat_id"] not in self.taken
        ]
        if len(free) < count:
            raise Failed(f"the show has {len(free)} free seats, {count} are needed")
        chosen = free[:count]
        self.taken.update(chosen)
        return [{"seat_id": seat} for seat in chosen]

    def event(self, kind: str, data: dict, **extensions) -> dict:
        return {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": f"urn:partner:{self.door.partner}:certification",
            "type": kind,
            "time": datetime.datetime.now(datetime.timezone.utc).isoformat(),
            "datacontenttype": "application/json",
            "data": data,
            **extensions,
        }

    def submit(self, positions: list[dict], **extensions) -> dict:
        data = {
            "show_id": self.show["id"],
            "positions": positions,
            "customer": {
                "email": "certification@example.org",
                "name": "Certification",
                "locale": "en",
            },
            "reference": f"C-{uuid.uuid4().hex[:8]}",
        }
        return self.event("booking.submit.v1", data, **extensions)


SCENARIOS = []


def scenario(expects: str):
    def register(function):
        SCENARIOS.append((function.__name__.replace("_", " "), expects, function))
        return function

    return register


def expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise Failed(otherwise)


def quarantined(run: Run, message_id: str, pointer: str | None = None) -> str:
    reply = run.door.reply_to(message_id)["data"]
    expect(reply["outcome"] == "quarantined", f"the outcome is {reply['outcome']}")
    expect("quarantine_id" in reply, "the reply names no quarantine_id")
    problem = reply["problem"]
    if pointer is not None:
        pointers = [error["pointer"] for error in problem.get("errors", [])]
        expect(pointer in pointers, f"no error at {pointer}, but at {pointers}")
    return problem["code"]


@scenario("partner.alive.v1 comes at least every 12 seconds")
def the_door_is_open(run: Run) -> str:
    alive = run.door.until(lambda m: m["type"] == "partner.alive.v1", "partner.alive.v1", 15)
    return f"last sequence {alive['data']['last_sequence']}"


def quarantined_unread(run: Run, message_id: str, code: str) -> str:
    """Waits for the reply to a message whose body was not read: it is named by its properties."""
    found = quarantined(run, message_id)
    expect(found == code, f"the code is {found}")
    return code


@scenario("a reply within two seconds, then events up to completed; versions never fall")
def a_booking_completes(run: Run) -> str:
    event = run.submit(run.positions(2), correlationid="certify-1")
    sent = time.monotonic()
    run.door.publish(event)
    reply = run.door.reply_to(event["id"])
    took = time.monotonic() - sent
    expect(reply["data"]["outcome"] == "accepted", f"the reply: {reply['data']}")
    expect(reply["_key"] == "reply.booking.submit.v1.accepted", f"key {reply['_key']}")
    expect(reply.get("correlationid") == "certify-1", "the correlation id is not echoed")
    expect(took < REPLY_MAX_S + 1, f"the reply took {took:.1f} s")
    booking = reply["data"]["booking_id"]
    run.door.event_of(booking, "booking.completed.v1")
    story = [m for m in run.door.seen if m["data"].get("booking_id") == booking]
    versions = [m["data"]["version"] for m in story if m["type"].startswith("booking.")]
    expect(versions == sorted(versions), f"versions {versions} fall")
    return f"reply after {took * 1000:.0f} ms, {len(versions)} events"


@scenario("the same message again gets the same reply, and there is one booking")
def a_repetition_is_harmless(run: Run) -> str:
    event = run.submit(run.positions(1))
    run.door.publish(event)
    first = run.door.reply_to(event["id"])
    run.door.seen.clear()
    run.door.publish(event)
    again = run.door.reply_to(event["id"])
    expect(again["data"]["booking_id"] == first["data"]["booking_id"], "two bookings")
    expect(again["id"] == first["id"], "the replies have different ids")
    run.door.event_of(first["data"]["booking_id"], "booking.completed.v1")
    return first["data"]["booking_id"]


@scenario("one idempotency key for two wishes is rejected: idempotency_key_reused")
def a_key_names_one_wish(run: Run) -> str:
    key = f"certify-{uuid.uuid4()}"
    first = run.submit(run.positions(1), idempotencykey=key)
    run.door.publish(first)
    booking = run.door.reply_to(first["id"])["data"]["booking_id"]
    run.door.event_of(booking, "booking.completed.v1")
    other = run.submit(run.positions(1), idempotencykey=key)
    run.door.publish(other)
    reply = run.door.reply_to(other["id"])["data"]
    expect(reply["outcome"] == "rejected", f"the outcome is {reply['outcome']}")
    code = reply["problem"]["code"]
    expect(code == "idempotency_key_reused", f"the code is {code}")
    return code


@scenario("seats that are taken end in booking.rejected.v1 with seats_unavailable")
def taken_seats_are_told(run: Run) -> str:
    positions = run.positions(1)
    first = run.submit(positions)
    run.door.publish(first)
    run.door.event_of(run.door.reply_to(first["id"])["data"]["booking_id"], "booking.completed.v1")
    second = run.submit(positions)
    run.door.publish(second)
    reply = run.door.reply_to(second["id"])["data"]
    if reply["outcome"] == "rejected":
        code = reply["problem"]["code"]
    else:
        code = run.door.event_of(reply["booking_id"], "booking.rejected.v1")["data"]["code"]
    expect(code == "seats_unavailable", f"the code is {code}")
    return code


@scenario("a cancelled booking ends in booking.cancelled.v1 or booking.refunded.v1")
def a_booking_is_cancelled(run: Run) -> str:
    event = run.submit(run.positions(1))
    run.door.publish(event)
    booking = run.door.reply_to(event["id"])["data"]["booking_id"]
    run.door.event_of(booking, "booking.completed.v1")
    cancel = run.event("booking.cancel.v1", {"booking_id": booking})
    run.door.publish(cancel)
    reply = run.door.reply_to(cancel["id"])["data"]
    expect(reply["outcome"] == "accepted", f"the reply: {reply}")
    return run.door.event_of(booking, "booking.cancelled.v1", "booking.refunded.v1")["type"]


@scenario("a missing field is quarantined and pointed at")
def mistakes_are_pointed_at(run: Run) -> str:
    event = run.submit(run.positions(1))
    del event["data"]["customer"]["email"]
    run.door.publish(event)
    return quarantined(run, event["id"], "/data/customer/email")


@scenario("an unknown kind is quarantined")
def unknown_kinds_are_kept(run: Run) -> str:
    event = run.event("booking.teleport.v1", {})
    run.door.publish(event)
    return quarantined(run, event["id"])


@scenario("a wrong content type is quarantined")
def content_types_are_checked(run: Run) -> str:
    event = run.submit(run.positions(1))
    run.door.publish(event, content_type="text/plain")
    return quarantined_unread(run, event["id"], "media_type_unsupported")


@scenario("a message without user-id is quarantined")
def senders_are_proved(run: Run) -> str:
    event = run.submit(run.positions(1))
    run.door.publish(event, user_id=None)
    return quarantined_unread(run, event["id"], "sender_unproved")


@scenario("what is not JSON is quarantined, and answered all the same")
def rubbish_is_answered(run: Run) -> str:
    event = {"type": "booking.submit.v1", "id": str(uuid.uuid4())}
    run.door.publish(event, body=b'{"specversion": "1.0", "id"')
    return quarantined_unread(run, event["id"], "body_malformed")


@scenario("messages to the partner are numbered without a gap, and HTTP recovers the same")
def what_was_missed_is_recovered(run: Run) -> str:
    numbered = {m["sequence"]: m["id"] for m in run.door.seen if m.get("sequence")}
    expect(bool(numbered), "no message had a sequence")
    low, high = min(numbered), max(numbered)
    recovered, path = {}, f"/v1/partner/events?after={low - 1}"
    while path and (not recovered or max(recovered) < high):
        page = run.api.get(path)
        recovered.update({m["sequence"]: m["id"] for m in page["events"]})
        path = page.get("next")
    missing = [n for n in range(low, high + 1) if n not in recovered]
    expect(not missing, f"sequences {missing[:5]} can't be recovered")
    wrong = [n for n, message in numbered.items() if recovered.get(n) != message]
    expect(not wrong, f"sequences {wrong[:5]} name other messages over HTTP")
    return f"{high - low + 1} messages"


@scenario("a snapshot tells the live bookings and ends with their count")
def a_snapshot_is_whole(run: Run) -> str:
    request = run.event("snapshot.request.v1", {})
    run.door.publish(request)
    reply = run.door.reply_to(request["id"])["data"]
    expect(reply["outcome"] == "accepted", f"the reply: {reply}")
    done = run.door.until(
        lambda m: m["type"] == "snapshot.complete.v1", "snapshot.complete.v1"
    )["data"]
    told = [
        m
        for m in run.door.seen
        if m["type"] == "snapshot.booking.v1"
        and m["data"]["snapshot_id"] == done["snapshot_id"]
    ]
    expect(len(told) == done["bookings"], f"{len(told)} told, {done['bookings']} counted")
    return f"{done['bookings']} bookings"


def told_over_http(run: Run, after: int, message_id: str) -> None:
    """Waits until the reply to a message was sent, as recovery over HTTP tells."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        page = run.api.get(f"/v1/partner/events?after={after}")
        for message in page["events"]:
            after = max(after, message["sequence"])
            if message["data"].get("message_id") == message_id:
                return
        if not page.get("next"):
            time.sleep(POLL_S)
    raise Failed(f"the reply to {message_id} was not sent within {WAIT_S:.0f} s")


@scenario("after a lost connection the queue has kept what came meanwhile")
def a_lost_connection_loses_nothing(run: Run) -> str:
    event = run.submit(run.positions(1))
    known = max((m["sequence"] for m in run.door.seen if m.get("sequence")), default=0)
    run.door.publish(event)
    run.door.connection.close()
    # Only what was sent while nobody listened shows whether the queue keeps it.
    told_over_http(run, known, event["id"])
    run.door.connect()
    booking = run.door.reply_to(event["id"])["data"]["booking_id"]
    run.door.event_of(booking, "booking.completed.v1")
    return booking


def find_show(api: Api, wanted: str) -> dict:
    path = "/v1/shows?limit=100"
    while path:
        page = api.get(path)
        for show in page["shows"]:
            if wanted in (show["id"], show.get("slug")):
                return show
        path = page.get("next")
    raise SystemExit(f"there is no show {wanted}")


def play(run: Run, only: str | None) -> list[Result]:
    results = []
    for name, expects, function in SCENARIOS:
        if only and only not in name:
            continue
        began = time.monotonic()
        try:
            detail, passed = function(run) or "", True
        except Failed as failed:
            detail, passed = str(failed), False
        except (pika.exceptions.AMQPError, urllib.error.URLError, KeyError) as error:
            detail, passed = f"{type(error).__name__}: {error}", False
        results.append(Result(name, expects, passed, time.monotonic() - began, detail))
        mark = "pass" if passed else "FAIL"
        print(f"{mark}  {name} ({results[-1].seconds:.1f} s)")
        print(f"      {expects if passed else 'expected: ' + expects}")
        if detail:
            print(f"      {detail}")
    return results


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--show", required=True, help="id or slug of a show with free seats")
    parser.add_argument("--only", help="scenarios whose name holds this")
    parser.add_argument("--json", metavar="FILE", help="write the report as JSON too")
    arguments = parser.parse_args()
    missing = [
        name
        for name in ("BOXOFFICE_AMQP_URL", "BOXOFFICE_API", "BOXOFFICE_TOKEN")
        if not os.environ.get(name)
    ]
    if missing:
        print(f"not set: {', '.join(missing)} (see --help)", file=sys.stderr)
        return 2
    api = Api(os.environ["BOXOFFICE_API"], os.environ["BOXOFFICE_TOKEN"])
    try:
        door = Door(os.environ["BOXOFFICE_AMQP_URL"])
        run = Run(door, api, find_show(api, arguments.show))
    except (pika.exceptions.AMQPError, urllib.error.URLError) as error:
        print(f"it can't be run: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    results = play(run, arguments.only)
    door.close()
    failed = [result for result in results if not result.passed]
    verdict = "PASSED" if results and not failed else "FAILED"
    print(f"\n{verdict}: {len(results) - len(failed)} of {len(results)} scenarios")
    if arguments.json:
        report = {
            "partner": door.partner,
            "at": datetime.datetime.now(datetime.timezone.utc).isoformat(),
            "passed": verdict == "PASSED",
            "scenarios": [dataclasses.asdict(result) for result in results],
        }
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=2)
            file.write("\n")
    return 0 if verdict == "PASSED" else 1


if __name__ == "__main__":
    sys.exit(main())
