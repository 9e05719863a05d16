// Prints a line `NAME VERSION` for Node and for each package that is named.
import { readFileSync } from "node:fs";

console.log("node", process.versions.node);
for (const name of process.argv.slice(2)) {
  const description = new URL(`node_modules/${name}/package.json`, import.meta.url);
  console.log(name, JSON.parse(readFileSync(description, "utf8")).version);
}
