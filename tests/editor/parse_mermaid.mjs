// Reads a JSON object of names and flowcharts; writes what mermaid's own parser says against them, by name.
import { readFileSync } from "node:fs";
import { JSDOM } from "jsdom";

globalThis.window = new JSDOM("").window; // mermaid cleans labels with a browser's means
globalThis.document = window.document;
const { default: mermaid } = await import("mermaid");
const refused = {};
for (const [name, text] of Object.entries(JSON.parse(readFileSync(0, "utf8")))) {
  try {
    await mermaid.parse(text);
  } catch (error) {
    refused[name] = String(error);
  }
}
console.log(JSON.stringify(refused));
