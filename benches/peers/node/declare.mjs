// Creates the queues and the tables. May be run again.
import { readFile } from "node:fs/promises";
import { declareQueues } from "./broker.mjs";
import { pool } from "./database.mjs";

const SCHEMA = new URL("../schema.sql", import.meta.url);

await declareQueues();
for (const statement of (await readFile(SCHEMA, "utf8")).split(";")) {
  if (statement.trim()) await pool.query(statement);
}
await pool.end();
