#!/usr/bin/env node
import { existsSync } from "node:fs";
import { setFlagsFromString } from "node:v8";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 13)) {
  console.error(`ragline: needs Node 22.13 or newer, this is ${process.versions.node}`);
  process.exit(2);
}

// Node 22 announces its built-in SQLite as experimental on every start.
process.removeAllListeners("warning");
process.on("warning", (warning) => {
  // DEP0123: a TLS server is reached by its address, and its certificate names that.
  if (warning.name !== "ExperimentalWarning" && warning.code !== "DEP0123")
    console.error(`${warning.name}: ${warning.message}`);
});

// A reader that has enough (`| head`) is no failure; a full disk is. What serves outlives both: src/cli/outlive-readers.ts.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error) => {
    if (error.code !== "EPIPE") process.exitCode = 1;
    process.exit();
  });
}

// V8's young generation would double several times while modules are loaded, and stay so; see src/cli/loaded.ts.
setFlagsFromString("--semi-space-growth-factor=1");
// A checkout runs from its sources, an installed package from what was built.
const sources = new URL("../src/cli/main.ts", import.meta.url);
const isCheckout = existsSync(sources);
if (isCheckout && !process.features.typescript) {
  console.error(
    `ragline: a checkout needs Node 22.18 or newer, this is ${process.versions.node}; npx ragline takes that of npm ci`,
  );
  process.exit(2);
}
const { main } = await import(isCheckout ? sources.href : new URL("../dist/cli/main.js", import.meta.url).href);
await main(process.argv);
// A library that still waits, as an exporter of spans does for a silent collector, holds up nobody.
setTimeout(() => process.exit(), 250).unref();
