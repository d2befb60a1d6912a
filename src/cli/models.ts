import { loadConfig } from "../config.ts";
import type { Dtype } from "../hub/files.ts";
import { type PullProgress, pullModel } from "../hub/pull.ts";
import { bar, createLine } from "./progress.ts";
import { stopSignal } from "./session.ts";

const MB = 1_000_000;

/** `ragline models pull`: fetches a model into the hub's cache, so that nothing is fetched later. */
export async function pullCommand(
  configFile: string | undefined,
  model: string,
  { dtype }: { readonly dtype?: Dtype },
): Promise<void> {
  const { cacheFolder = "", ...hub } = loadConfig(configFile).models;
  const stop = stopSignal();
  const line = createLine(process.stderr);
  const onProgress = (progress: PullProgress) =>
    line.update(() => shown(progress), progress.bytes === progress.bytesTotal);
  try {
    const options = { ...hub, cacheFolder, dtype, signal: stop.signal, onProgress };
    const report = await pullModel(model, options);
    line.end();
    const { repository, folder, bytesTotal, bytesFetched } = report;
    const fetched = bytesFetched === 0 ? "nothing to fetch" : `${megabytes(bytesFetched)} fetched`;
    console.log(`${repository}, ${report.dtype}: ${megabytes(bytesTotal)}, ${fetched}`);
    console.log(folder);
  } finally {
    line.end();
    stop.release();
  }
}

function shown({ file, bytes, bytesTotal }: PullProgress): string {
  const share = `${Math.floor((100 * bytes) / Math.max(1, bytesTotal))}%`.padStart(4);
  const figures = `${share} · ${megabytes(bytes)} of ${megabytes(bytesTotal)} · ${file}`;
  return process.stderr.isTTY ? `${bar(bytes, bytesTotal)} ${figures}` : `fetching: ${figures.trim()}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / MB).toFixed(1)} MB`;
}
