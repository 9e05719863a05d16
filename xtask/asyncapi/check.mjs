// Parses an AsyncAPI document and prints its diagnostics as JSON: severity 0 is an error.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
const found = diagnostics.map(({ severity, code, path, message }) => ({ severity, code, path: path.join("/"), message }));
console.log(JSON.stringify({
  understood: document !== undefined,
  channels: document?.channels().length ?? 0,
  operations: document?.operations().length ?? 0,
  messages: document?.components().messages().length ?? 0,
  diagnostics: found,
}));
