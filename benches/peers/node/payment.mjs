// A payment gateway that answers at once.
import { createHash } from "node:crypto";

/** The payment's id: the same booking has the same one. */
export function capture(bookingId, _amountCents) {
  return `pay_${createHash("sha256").update(bookingId).digest("hex").slice(0, 24)}`;
}
