// The PDF of a booking: one A5 page for each seat.
import { readFileSync } from "node:fs";
import PDFDocument from "pdfkit";
import QRCode from "qrcode";
import { ticketCode } from "./ticket-code.mjs";

// Latin, Greek and Cyrillic, as on the tickets that these are compared with.
const font = (name) => readFileSync(new URL(`../../../workers/documents/fonts/${name}.subset.ttf`, import.meta.url));
const REGULAR = font("DejaVuSans");
const BOLD = font("DejaVuSans-Bold");
const MM = 72 / 25.4;
const LEFT = 15 * MM;
const CODE_SIDE = 70 * MM;
const ON_ONE_LINE = { lineBreak: false };

export function render(show, seats, name) {
  const document = new PDFDocument({ size: "A5", autoFirstPage: false, font: null, info: { Title: show.title } });
  document.registerFont("regular", REGULAR);
  document.registerFont("bold", BOLD);
  const parts = [];
  const whole = new Promise((resolve, reject) => {
    document.on("data", (part) => parts.push(part));
    document.on("end", () => resolve(Buffer.concat(parts)));
    document.on("error", reject);
  });
  for (const seat of seats) drawPage(document.addPage(), show, seat, name);
  document.end();
  return whole;
}

function drawPage(page, show, seat, name) {
  const dash = seat.lastIndexOf("-");
  page.font("bold", 24).text(show.title, LEFT, 20 * MM, ON_ONE_LINE);
  page.font("regular", 13).text(show.hall, LEFT, 32 * MM, ON_ONE_LINE);
  page.text(`Row ${seat.slice(0, dash)}`, LEFT, 44 * MM, ON_ONE_LINE);
  page.text(`Seat ${seat.slice(dash + 1)}`, LEFT, 52 * MM, ON_ONE_LINE);
  page.text(name, LEFT, 64 * MM, ON_ONE_LINE);
  page.text(`EUR ${(show.priceCents / 100).toFixed(2)}`, LEFT, 72 * MM, ON_ONE_LINE);
  drawCode(page, (page.page.width - CODE_SIDE) / 2, page.page.height - 25 * MM - CODE_SIDE);
}

/** A rectangle for each run of dark modules. */
function drawCode(page, left, top) {
  const segments = [{ data: ticketCode(), mode: "alphanumeric" }];
  const { size, data } = QRCode.create(segments, { errorCorrectionLevel: "M" }).modules;
  const module = CODE_SIDE / size;
  for (let row = 0; row < size; row += 1) {
    for (let from = 0; from < size; from += 1) {
      let to = from;
      while (to < size && data[row * size + to]) to += 1;
      if (to > from) page.rect(left + from * module, top + row * module, (to - from) * module, module);
      from = to;
    }
  }
  page.fill("black");
}
