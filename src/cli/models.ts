import { loadConfig } from "../config.ts";
import type { Dtype } from "../hub/files.ts";
import { type PullProgress, pullModel } from "../hub/pull.ts";
import { bar } from "./progress.ts";
import { stopSignal } from "./session.ts";

const REDRAW_EVERY_MS = 80;
const LINE_EVERY_MS = 3_000;
const MB = 1_000_000;

/** `ragline models pull`: fetches a model into the hub's cache, so that nothing is fetched later. */
export async function pullCommand(
  configFile: string | undefined,
  model: string,
  { dtype }: { readonly dtype?: Dtype },
): Promise<void> {
  const { cacheFolder = "", ...hub } = loadConfig(configFile).models;
  const stop = stopSignal();
  const progress = createProgressLine(process.stderr);
  try {
    const options = { ...hub, cacheFolder, dtype, signal: stop.signal, onProgress: progress.update };
    const report = await pullModel(model, options);
    progress.end();
    const { repository, folder, bytesTotal, bytesFetched } = report;
    const fetched = bytesFetched === 0 ? "nothing to fetch" : `${megabytes(bytesFetched)} fetched`;
    console.log(`${repository}, ${report.dtype}: ${megabytes(bytesTotal)}, ${fetched}`);
    console.log(folder);
  } finally {
    progress.end();
    stop.release();
  }
}

function createProgressLine(stream: Pick<NodeJS.WriteStream, "write" | "isTTY">) {
  let drawnAt = Number.NEGATIVE_INFINITY;
  let isOpen = false;
  return {
    update({ file, bytes, bytesTotal }: PullProgress) {
      const now = performance.now();
      const isLast = bytes === bytesTotal;
      if (now - drawnAt < (stream.isTTY ? REDRAW_EVERY_MS : LINE_EVERY_MS) && !isLast) return;
      drawnAt = now;
      const share = `${Math.floor((100 * bytes) / Math.max(1, bytesTotal))}%`.padStart(4);
      const figures = `${share} · ${megabytes(bytes)} of ${megabytes(bytesTotal)} · ${file}`;
      stream.write(stream.isTTY ? `\r${bar(bytes, bytesTotal)} ${figures}\x1b[K` : `fetching: ${figures.trim()}\n`);
      isOpen = stream.isTTY;
    },
    end() {
      if (isOpen) stream.write("\n");
      isOpen = false;
    },
  };
}

function megabytes(bytes: number): string {
  return `${(bytes / MB).toFixed(1)} MB`;
}
