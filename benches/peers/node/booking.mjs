// What a valid booking is.
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const SHOW = /^[A-Za-z0-9._-]{1,64}$/;
const SEAT = /^[A-Za-z0-9-]{1,60}-[0-9]{1,3}$/;
const EMAIL = /^[^@\s]+@[^@\s]+$/;
const SEATS_MAX = 10;
const EMAIL_MAX = 254;
const NAME_MAX = 100;
const FIELDS = ["id", "show_id", "seats", "email", "name"];

export function isId(text) {
  return typeof text === "string" && UUID.test(text);
}

/** What is wrong with it, or nothing. */
export function fault(booking) {
  if (typeof booking !== "object" || booking === null) return "not an object";
  const unknown = Object.keys(booking).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined) return `unknown field ${unknown}`;
  if (!isId(booking.id)) return "id";
  if (!isText(booking.show_id, SHOW)) return "show_id";
  if (!areSeats(booking.seats)) return "seats";
  if (!isText(booking.email, EMAIL) || booking.email.length > EMAIL_MAX) return "email";
  if (!isText(booking.name, /./) || booking.name.length > NAME_MAX) return "name";
  return undefined;
}

function areSeats(seats) {
  return (
    Array.isArray(seats) &&
    seats.length >= 1 &&
    seats.length <= SEATS_MAX &&
    seats.every((seat) => isText(seat, SEAT)) &&
    new Set(seats).size === seats.length
  );
}

function isText(value, pattern) {
  return typeof value === "string" && pattern.test(value);
}
