// The text of a ticket's QR code: random, and as long as a signed one, 108 bytes in base45.
import { randomBytes } from "node:crypto";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
const BYTES = 108;

export function ticketCode() {
  const data = randomBytes(BYTES);
  let code = "";
  for (let at = 0; at < BYTES; at += 2) {
    const pair = data.readUInt16BE(at);
    code += ALPHABET[pair % 45] + ALPHABET[Math.floor(pair / 45) % 45] + ALPHABET[Math.floor(pair / 2025)];
  }
  return code;
}
