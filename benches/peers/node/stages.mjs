// What the three stages do with a booking. Each resolves to the next stage, if there is one.
import * as database from "./database.mjs";
import { render } from "./document.mjs";
import * as payment from "./payment.mjs";
import { show } from "./shows.mjs";

export const stages = {
  hold: {
    prefetch: 64,
    async run(booking) {
      // Also when an earlier delivery held it and then failed to say so.
      return (await database.hold(booking)) === "held" ? "capture" : undefined;
    },
  },
  capture: {
    prefetch: 64,
    async run(booking) {
      const amountCents = show(booking.show_id).priceCents * booking.seats.length;
      const paymentId = payment.capture(booking.id, amountCents);
      await database.capture(booking.id, paymentId, amountCents);
      return "ticket";
    },
  },
  ticket: {
    prefetch: 16,
    async run(booking) {
      const pdf = await render(show(booking.show_id), booking.seats, booking.name);
      await database.confirm(booking.id, pdf);
    },
  },
};
