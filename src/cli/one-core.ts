import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism, setPriority } from "node:os";
import { setFlagsFromString } from "node:v8";

/** Less than a tenth of the core, where the thread that answers wants it all. */
const PRIORITY = 10;
const THREADS = "/proc/self/task";

/**
 * Where the process has one core, lets V8's own threads give way to the one that answers: four of them mark what is in use, and
 * while they did the answers stood still (64 streams, 55 MB in use: some 40 ms, three times in a row). On Linux; elsewhere, and with more
 * cores, nothing changes.
 */
export function giveWayOnOneCore(): void {
  if (availableParallelism() > 1 || process.platform !== "linux") return;
  setFlagsFromString("--concurrent-marking-max-worker-num=1");
  try {
    for (const thread of readdirSync(THREADS)) {
      const name = readFileSync(`${THREADS}/${thread}/comm`, "utf8").trim();
      if (name === "V8Worker") setPriority(Number(thread), PRIORITY);
    }
  } catch {
    // They keep the server's priority then.
  }
}
