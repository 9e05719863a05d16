// The HTTP intake: accepts bookings into the first queue and says how far they are.
import { createServer } from "node:http";
import { fault, isId } from "./booking.mjs";
import { check, connectForever, publish } from "./broker.mjs";
import * as database from "./database.mjs";
import { HTTP_PORT } from "./settings.mjs";
import { onStop } from "./stop.mjs";

const CONFIRM_MS_MAX = 2_000;
const BODY_BYTES_MAX = 64 * 1024;
// Accepted bookings that the first stage may not have seen yet.
const REMEMBERED_MAX = 100_000;

const remembered = new Set();
let channel;
const connection = await connectForever(async (fresh) => {
  channel = fresh;
});

const server = createServer(async (request, response) => {
  try {
    const [status, body] = await route(request);
    answer(response, status, body);
  } catch (error) {
    console.error("intake:", error);
    answer(response, 500, { error: "internal" });
  }
});
server.listen(HTTP_PORT, "127.0.0.1");

onStop(async () => {
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeIdleConnections();
  });
  await connection.close();
  await database.pool.end();
});

async function route(request) {
  const { method, url } = request;
  if (method === "POST" && url === "/bookings") return submit(request);
  if (method === "GET" && url.startsWith("/bookings/")) return read(url.slice("/bookings/".length));
  if (method === "GET" && url === "/healthz") return health();
  return [404, { error: "no such page" }];
}

async function submit(request) {
  const booking = parsed(await bodyOf(request));
  const wrong = fault(booking);
  if (wrong) return [422, { error: wrong }];
  const id = booking.id.toLowerCase();
  const createdAt = new Date().toISOString().replace("T", " ").replace("Z", "");
  try {
    await inTime(publish(channel, "hold", { ...booking, id, created_at: createdAt }));
  } catch (error) {
    console.error(`booking ${id} was not confirmed:`, error.message);
    return [503, { error: "try again" }];
  }
  remembered.add(id);
  if (remembered.size > REMEMBERED_MAX) remembered.delete(remembered.values().next().value);
  return [202, { id }];
}

async function read(text) {
  if (!isId(text)) return [404, { error: "unknown" }];
  const id = text.toLowerCase();
  const status = (await database.status(id)) ?? (remembered.has(id) ? "pending" : undefined);
  return status ? [200, { id, status }] : [404, { error: "unknown" }];
}

async function health() {
  try {
    await inTime(Promise.all([database.check(), check(connection)]));
    return [200, { status: "ok" }];
  } catch (error) {
    return [503, { error: error.message }];
  }
}

async function bodyOf(request) {
  const parts = [];
  let length = 0;
  for await (const part of request) {
    length += part.length;
    if (length > BODY_BYTES_MAX) return "";
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function inTime(work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), CONFIRM_MS_MAX);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

function answer(response, status, body) {
  const text = JSON.stringify(body);
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
  response.writeHead(status, headers).end(text);
}
