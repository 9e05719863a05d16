// One stage as a process: node worker.mjs hold|capture|ticket
// A message is acknowledged when its transaction and the next message are safe.
import { setTimeout as sleep } from "node:timers/promises";
import { connectForever, publish } from "./broker.mjs";
import { isTransient, pool } from "./database.mjs";
import { onStop } from "./stop.mjs";
import { stages } from "./stages.mjs";

const RETRY_MS = { first: 100, max: 5_000 };
const FINISH_MS_MAX = 3_000;
// What fails at once again would soon have been delivered as often as it may.
const GIVE_BACK_MS = 1_000;

const name = process.argv[2];
const stage = stages[name];
if (!stage) throw new Error(`no stage ${name}`);

let stopping = false;
let cancel = async () => {};
const inWork = new Set();

const connection = await connectForever(async (channel) => {
  await channel.prefetch(stage.prefetch);
  const { consumerTag } = await channel.consume(name, (message) => {
    if (message === null) throw new Error(`the queue ${name} is gone`);
    if (stopping) return;
    const work = handle(channel, message).finally(() => inWork.delete(work));
    inWork.add(work);
  });
  cancel = () => channel.cancel(consumerTag);
});

onStop(async () => {
  stopping = true;
  await cancel().catch(() => {});
  await Promise.race([Promise.all(inWork), sleep(FINISH_MS_MAX)]);
  await connection.close();
  await pool.end();
});

async function handle(channel, message) {
  try {
    const booking = JSON.parse(message.content.toString());
    const next = await untilItPasses(() => stage.run(booking));
    if (next) await publish(channel, next, booking);
    channel.ack(message);
  } catch (error) {
    console.error(`${name}:`, error);
    await sleep(GIVE_BACK_MS);
    giveBack(channel, message, error);
  }
}

/** Tries again while the database has a passing trouble; the message stays with us meanwhile. */
async function untilItPasses(run) {
  for (let wait = RETRY_MS.first; ; wait = Math.min(wait * 2, RETRY_MS.max)) {
    try {
      return await run();
    } catch (error) {
      if (!isTransient(error) || stopping) throw error;
      console.error(`${name}: again in ${wait} ms:`, error.message);
      await sleep(wait);
    }
  }
}

/** What can't succeed is dead-lettered, anything else is delivered again. */
function giveBack(channel, message, error) {
  const hopeless = error instanceof SyntaxError || (error.sqlState && !isTransient(error));
  try {
    channel.nack(message, false, !hopeless);
  } catch {
    // The channel is gone, and the broker has the message back.
  }
}
