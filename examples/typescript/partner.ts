// Books seats as a partner: publishes `booking.submit.v1`, prints the reply and the events until the booking ended.
//
//     node out/partner.js SHOW_ID SEAT [SEAT ...]
//
// BOXOFFICE_PARTNER_URL holds user, password, host and vhost, such as amqp://acme.1:secret@127.0.0.1:5672/partners.
import { randomUUID } from "node:crypto";
import { connect, type ConfirmChannel, type ConsumeMessage } from "amqplib";

const CONTENT_TYPE = "application/cloudevents+json";
const ENDS = new Set(["completed", "rejected", "payment_failed", "expired", "cancelled", "refunded"]);
/** Silence beyond this is a fault: the house says `partner.alive.v1` every few seconds. */
const SILENCE_MS_MAX = 60_000;

/** The fields of a CloudEvent that are used here. */
interface CloudEvent<Data> {
  specversion: "1.0";
  /** The same id is the same message: whoever gets no confirm sends the very same again. */
  id: string;
  source: string;
  type: string;
  time: string;
  datacontenttype?: string;
  correlationid?: string;
  /** Names the wish: the same key is the same booking, whatever the message's id is. */
  idempotencykey?: string;
  data: Data;
}

interface Submit {
  show_id: string;
  positions: { seat_id: string }[];
  customer: { email: string; name: string; locale: string };
  tender: "partner_credit" | "card";
  reference?: string;
}

interface Reply {
  outcome: "accepted" | "rejected" | "quarantined";
  message_id: string;
  booking_id?: string;
  problem?: { code: string; errors?: { pointer: string; code: string }[] };
}

interface BookingEvent {
  booking_id: string;
  version: number;
  status: string;
  code?: string;
}

function submit(showId: string, seats: string[], story: string): CloudEvent<Submit> {
  return {
    specversion: "1.0",
    id: randomUUID(),
    source: "urn:example:partner",
    type: "booking.submit.v1",
    time: new Date().toISOString(),
    datacontenttype: "application/json",
    correlationid: story,
    idempotencykey: story,
    data: {
      show_id: showId,
      positions: seats.map((seat_id) => ({ seat_id })),
      customer: { email: "ada@example.org", name: "Ada Byron", locale: "en" },
      tender: "partner_credit",
      reference: story.slice(0, 64),
    },
  };
}

/** Resolves when the broker has stored it; rejects when it refuses it, or when no queue takes it. */
async function publish(channel: ConfirmChannel, user: string, event: CloudEvent<unknown>): Promise<void> {
  const exchange = `partner.${partnerOf(user)}.in`;
  let returned = false;
  channel.on("return", () => (returned = true));
  channel.publish(exchange, event.type, Buffer.from(JSON.stringify(event)), {
    contentType: CONTENT_TYPE,
    type: event.type,
    messageId: event.id,
    correlationId: event.correlationid,
    // Proves who sent it: the broker refuses any other name, and the gate a message without one.
    userId: user,
    persistent: true,
    mandatory: true,
  });
  await channel.waitForConfirms();
  if (returned) throw new Error(`no queue takes ${event.type}`);
}

/** Prints what belongs to the story; resolves with the status that it ended with. */
function follow(channel: ConfirmChannel, queue: string, messageId: string, story: string): Promise<string> {
  const seen = new Set<string>();
  return new Promise((resolve, reject) => {
    const silent = () => reject(new Error(`nothing on ${queue} for ${SILENCE_MS_MAX / 1000} s`));
    let timer = setTimeout(silent, SILENCE_MS_MAX);
    const end = (finish: () => void) => {
      clearTimeout(timer);
      finish();
    };
    const take = (message: ConsumeMessage | null) => {
      if (message === null) return end(() => reject(new Error("the broker ended the consumer")));
      clearTimeout(timer);
      timer = setTimeout(silent, SILENCE_MS_MAX);
      const event = JSON.parse(message.content.toString()) as CloudEvent<unknown>;
      channel.ack(message);
      // Delivery is at least once: an id that was seen is the same message again.
      if (seen.has(event.id)) return;
      seen.add(event.id);
      if (event.type === "partner.reply.v1") {
        const reply = event.data as Reply;
        if (reply.message_id !== messageId) return;
        console.log("reply", reply.outcome, reply.booking_id ?? "");
        if (reply.outcome !== "accepted") end(() => reject(new Error(JSON.stringify(reply.problem))));
      } else if (event.correlationid === story && event.type.startsWith("booking.")) {
        // The event may come before the reply.
        const { version, status, code } = event.data as BookingEvent;
        console.log("event", event.type, version, status, code ?? "");
        if (ENDS.has(status)) end(() => resolve(status));
      }
    };
    channel.consume(queue, take).catch((error: unknown) => end(() => reject(error)));
  });
}

function partnerOf(user: string): string {
  return user.split(".")[0] ?? user;
}

async function main(): Promise<void> {
  const [showId, ...seats] = process.argv.slice(2);
  const url = process.env["BOXOFFICE_PARTNER_URL"];
  if (showId === undefined || seats.length === 0 || url === undefined) {
    throw new Error("usage: BOXOFFICE_PARTNER_URL=amqp://… node out/partner.js SHOW_ID SEAT [SEAT …]");
  }
  const user = decodeURIComponent(new URL(url).username);
  const story = `example-${randomUUID()}`;
  const event = submit(showId, seats, story);
  const connection = await connect(url);
  try {
    const channel = await connection.createConfirmChannel();
    await channel.prefetch(50);
    await publish(channel, user, event);
    const status = await follow(channel, `partner.${partnerOf(user)}.out.all`, event.id, story);
    if (status !== "completed") throw new Error(`ended as ${status}`);
  } finally {
    await connection.close();
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
