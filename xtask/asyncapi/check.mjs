// Parses an AsyncAPI document and prints what is found as JSON: severity 0 is an error.
// The parser doesn't look into the examples of version 3, so they are validated here.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
const found = diagnostics.map(({ severity, code, path, message }) => ({ severity, code, path: path.join("/"), message }));

const ajv = new Ajv({ strict: false, allErrors: true, validateSchema: false, logger: false });
addFormats.default(ajv);
let examples = 0;
for (const message of document?.components().messages().all() ?? []) {
  const parts = { payload: ajv.compile(message.payload().json()) };
  // What partners send has none.
  if (message.headers()) parts.headers = ajv.compile(message.headers().json());
  for (const example of message.examples().all()) {
    examples += 1;
    for (const [part, validate] of Object.entries(parts)) {
      if (!validate(example[part]())) {
        found.push({ severity: 0, code: "example", path: `${example.name()}/${part}`, message: ajv.errorsText(validate.errors) });
      }
    }
  }
}

console.log(JSON.stringify({
  understood: document !== undefined,
  channels: document?.channels().length ?? 0,
  operations: document?.operations().length ?? 0,
  messages: document?.components().messages().length ?? 0,
  examples,
  diagnostics: found,
}));
