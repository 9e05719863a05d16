// The connection to RabbitMQ, the queues, and publishing with a confirm.
import { randomUUID } from "node:crypto";
import { connect } from "amqplib";
import { AMQP_URL } from "./settings.mjs";

export const STAGES = ["hold", "capture", "ticket"];
const FAILED = "failed";
const CHANNEL_AGAIN_MS = 1_000;

const QUORUM = { "x-queue-type": "quorum" };
const ARGUMENTS = {
  ...QUORUM,
  "x-delivery-limit": 20,
  "x-dead-letter-exchange": "",
  "x-dead-letter-routing-key": FAILED,
  "x-dead-letter-strategy": "at-least-once",
  "x-overflow": "reject-publish",
};

/** A connection that comes back by itself; `setup` gets a confirm channel each time. */
export async function connectForever(setup) {
  const connection = await connect(AMQP_URL, {
    noDelay: true,
    recovery: { initialDelay: 200, maxDelay: 5_000, setup: (model) => open(model, setup) },
  });
  connection.on("error", (error) => console.error("connection:", error.message));
  return connection;
}

async function open(model, setup) {
  const channel = await model.createConfirmChannel();
  channel.on("error", (error) => {
    console.error("channel:", error.message);
    setTimeout(() => open(model, setup).catch(() => {}), CHANNEL_AGAIN_MS);
  });
  channel.returned = new Set();
  channel.on("return", (message) => channel.returned.add(message.properties.messageId));
  await setup(channel);
}

/** Throws when the broker doesn't answer. */
export async function check(connection) {
  const channel = await connection.createChannel();
  await channel.close();
}

/** Resolves when the broker has stored it in a queue. */
export function publish(channel, queue, value) {
  return new Promise((resolve, reject) => {
    const messageId = randomUUID();
    const options = { persistent: true, mandatory: true, contentType: "application/json", messageId };
    channel.sendToQueue(queue, Buffer.from(JSON.stringify(value)), options, (error) => {
      // A message that no queue takes is returned first and confirmed then.
      if (error) reject(error);
      else if (channel.returned.delete(messageId)) reject(new Error(`no queue ${queue}`));
      else resolve();
    });
  });
}

export async function declareQueues() {
  const connection = await connect(AMQP_URL);
  const channel = await connection.createChannel();
  await channel.assertQueue(FAILED, { durable: true, arguments: QUORUM });
  for (const stage of STAGES) {
    await channel.assertQueue(stage, { durable: true, arguments: ARGUMENTS });
  }
  await connection.close();
}
