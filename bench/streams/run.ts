import { parseArgs } from "node:util";
import { Child } from "../child.ts";
import { LOAD_CORE, SYSTEM_CORE } from "../cores.ts";
import { round } from "../stats.ts";
import type { StreamClientCommands } from "./clients.ts";
import type { Memory, StreamServerCommands } from "./server.ts";

const HELP = `npm run bench:streams [-- options]

Memory that an open stream takes while nothing is written to it: a server process, so many answers open over sockets, each with
its first token read and its model silent since. What the process holds (RSS) with them less before, after garbage collection,
by the stream. A first round of 200 is opened and closed, so that what is loaded once does not count. V8's young generation is told
apart: it grows with the rate of allocation, whatever is held, to the bound that a server sets it.

  --streams <n>     how many, 2,000 by default
  --flags <flags>   of Node or V8, for the server
  --dist            measure the built package in dist/ rather than src/
  --snapshot <file> write a heap snapshot while the streams are open
  --json            the last line is one JSON object
  --check           exit code 1 where a stream takes more than 64 KB
`;
const KB_MAX = 64;
const WARM_UP_STREAMS = 200;

const { values: options } = parseArgs({
  options: {
    streams: { type: "string", default: "2000" },
    dist: { type: "boolean", default: false },
    snapshot: { type: "string" },
    flags: { type: "string", default: "" },
    json: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

if (options.help) console.log(HELP);
else await main(Number(options.streams));

async function main(count: number): Promise<void> {
  const clients = new Child<StreamClientCommands>("readers", "./streams/clients.ts", LOAD_CORE);
  let server: Child<StreamServerCommands> | null = null;
  try {
    const upstream = await clients.call("upstream");
    const build = options.dist ? "dist" : "src";
    server = new Child<StreamServerCommands>(
      "server",
      "./streams/server.ts",
      SYSTEM_CORE,
      [upstream, build],
      ["--expose-gc", ...options.flags.split(" ").filter(Boolean)],
    );
    const url = await server.call("listen");
    await clients.call("open", url, Math.min(WARM_UP_STREAMS, count));
    await clients.call("close");
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const before = await server.call("memory");
    await clients.call("open", url, count);
    const during = await server.call("memory");
    const open = await clients.call("openStreams");
    if (options.snapshot) console.log(`heap snapshot: ${await server.call("snapshot", options.snapshot)}`);
    const held = ({ rssMb, youngMb }: Memory) => rssMb - youngMb;
    const perStream = (mb: number) => round((mb * 1024) / count, 1);
    const result = {
      build,
      streams: count,
      open,
      rssKbPerStream: perStream(during.rssMb - before.rssMb),
      heldKbPerStream: perStream(held(during) - held(before)),
      heapKbPerStream: perStream(during.heapMb - before.heapMb),
      externalKbPerStream: perStream(during.externalMb - before.externalMb),
      rssMbBefore: round(before.rssMb, 1),
      rssMb: round(during.rssMb, 1),
    };
    console.log(
      `${open} of ${count} streams open, ${build}/: RSS ${result.rssMbBefore} MB before, ${result.rssMb} MB with them`,
    );
    console.log(
      `a stream: ${result.rssKbPerStream} KB of RSS (bar: ${KB_MAX}); without the young generation ${result.heldKbPerStream} KB; ${result.heapKbPerStream} KB of live heap, ${result.externalKbPerStream} KB of buffers`,
    );
    if (options.json) console.log(JSON.stringify(result));
    if (options.check && (open < count || result.rssKbPerStream > KB_MAX)) process.exitCode = 1;
  } finally {
    clients.stop();
    server?.stop();
  }
}
