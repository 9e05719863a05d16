// The transactions. Each may come twice and changes nothing the second time.
import mysql from "mysql2/promise";
import { MYSQL_URL } from "./settings.mjs";

// A commit waits for the disk: this many wait together.
const CONNECTIONS_MAX = 16;

const INSERT_BOOKING =
  "INSERT INTO bookings (id, show_id, email, name, status, created_at) VALUES (?, ?, ?, ?, ?, ?)";
const INSERT_BOOKING_IF_NEW = `${INSERT_BOOKING} ON DUPLICATE KEY UPDATE id = id`;
const INSERT_PAYMENT =
  "INSERT INTO payments (booking_id, payment_id, amount_cents, created_at) VALUES (?, ?, ?, UTC_TIMESTAMP(6))";
const SET_CAPTURED = "UPDATE bookings SET status = 'captured' WHERE id = ? AND status = 'held'";
const INSERT_DOCUMENT = "INSERT INTO documents (booking_id, pdf, created_at) VALUES (?, ?, UTC_TIMESTAMP(6))";
const SET_CONFIRMED =
  "UPDATE bookings SET status = 'confirmed', confirmed_at = UTC_TIMESTAMP(6) WHERE id = ? AND status = 'captured'";

export const pool = mysql.createPool({
  uri: MYSQL_URL,
  charset: "utf8mb4",
  connectionLimit: CONNECTIONS_MAX,
  enableKeepAlive: true,
});

/** Claims all seats or none; returns the booking's status afterwards. */
export async function hold(booking) {
  const id = key(booking.id);
  const row = (status) => [id, booking.show_id, booking.email, booking.name, status, booking.created_at];
  // Sorted, so that two bookings never wait for each other's seats.
  const claims = [...booking.seats].sort().flatMap((seat) => [booking.show_id, seat, id]);
  const places = booking.seats.map(() => "(?, ?, ?)").join(", ");
  const held = await once(async (connection) => {
    await connection.execute(INSERT_BOOKING, row("held"));
    await connection.execute(`INSERT INTO claims (show_id, seat, booking_id) VALUES ${places}`, claims);
  });
  if (held) return "held";
  // A seat is sold, or the booking is known.
  await pool.execute(INSERT_BOOKING_IF_NEW, row("rejected"));
  return status(booking.id);
}

export async function capture(bookingId, paymentId, amountCents) {
  const id = key(bookingId);
  await once(async (connection) => {
    await connection.execute(INSERT_PAYMENT, [id, paymentId, amountCents]);
    await connection.execute(SET_CAPTURED, [id]);
  });
}

export async function confirm(bookingId, pdf) {
  const id = key(bookingId);
  await once(async (connection) => {
    await connection.execute(INSERT_DOCUMENT, [id, pdf]);
    await connection.execute(SET_CONFIRMED, [id]);
  });
}

/** `undefined` when it is unknown. */
export async function status(bookingId) {
  const [rows] = await pool.execute("SELECT status FROM bookings WHERE id = ?", [key(bookingId)]);
  return rows[0]?.status;
}

/** Throws when the database doesn't answer. */
export async function check() {
  await pool.query("SELECT 1");
}

/** Whether another attempt may succeed: a deadlock, or a server that is away. */
export function isTransient(error) {
  return error.fatal || ["ER_LOCK_DEADLOCK", "ER_LOCK_WAIT_TIMEOUT", "ECONNREFUSED"].includes(error.code);
}

/** A transaction; `false` and nothing done when a row was there already. */
async function once(work) {
  const connection = await pool.getConnection();
  try {
    await connection.beginTransaction();
    await work(connection);
    await connection.commit();
    return true;
  } catch (error) {
    await connection.rollback().catch(() => connection.destroy());
    if (error.code === "ER_DUP_ENTRY") return false;
    throw error;
  } finally {
    connection.release();
  }
}

function key(id) {
  return Buffer.from(id.replaceAll("-", ""), "hex");
}
