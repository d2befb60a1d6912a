import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { within } from "../deadlines.ts";
import { emulationNote } from "../emulation.ts";
import { RaglineError } from "../errors.ts";
import { keyNeeded } from "../load/client.ts";
import { type Bottleneck, bottleneckOf, type Finding } from "../profile/bottleneck.ts";
import { liveBottleneck } from "../profile/live.ts";
import { PROFILED, type Profile } from "../profile/profile.ts";
import { STEPS, type Step } from "../types.ts";
import { stopSignal } from "./session.ts";

export interface BottleneckOptions {
  readonly url: string;
  readonly profile?: string;
  readonly seconds: number;
  readonly header: readonly (readonly [string, string])[];
  readonly json?: true;
}

/** `ragline bottleneck`: which stage bounds throughput and which the time to first text, in plain words. */
export async function bottleneckCommand(options: BottleneckOptions): Promise<void> {
  const stop = stopSignal();
  try {
    const found = options.profile
      ? bottleneckOf(await readProfile(options.profile))
      : await liveOf(options, stop.signal);
    for (const line of lines(found)) console.log(line);
    if (options.json) console.log(JSON.stringify(found));
  } finally {
    stop.release();
  }
}

function lines({ throughput, firstText, emulated, notes }: Bottleneck): string[] {
  const finding = (what: string, { stage, because, advice }: Finding) => [
    `${what}: ${stage ?? "no stage"}`,
    `  ${because}`,
    ...(advice === "" ? [] : [`  next: ${advice}`]),
  ];
  return [
    ...finding("throughput is bound by", throughput),
    ...finding("time to first text is bound by", firstText),
    ...notes.map((note) => `note: ${note}`),
    ...(emulated.length > 0 ? [emulationNote(emulated)] : []),
  ];
}

async function readProfile(file: string): Promise<Profile> {
  try {
    const profile = JSON.parse(await readFile(file, "utf8")) as Profile;
    if (profile.version === 1 && profile.stages.every(({ step }) => PROFILED.includes(step))) return profile;
  } catch (cause) {
    throw new RaglineError("request_invalid", `--profile: ${file} cannot be read as JSON`, { cause });
  }
  throw new RaglineError("request_invalid", `--profile: ${file} is no profile; write one with: ragline profile`);
}

async function liveOf({ url, seconds, header }: BottleneckOptions, signal: AbortSignal): Promise<Bottleneck> {
  const headers = Object.fromEntries(header);
  const metrics = new URL(url);
  if (metrics.pathname === "/") metrics.pathname = "/metrics";
  const get = (address: URL) => fetchText(address, headers, signal);
  const emulated = emulatedAt(() => get(new URL("/v1/status", metrics)));
  const before = seconds > 0 ? await get(metrics) : null;
  if (before !== null) {
    console.log(`reading ${metrics} twice, ${seconds} s apart`);
    await sleep(seconds * 1000, undefined, { signal });
  }
  const after = await get(metrics);
  return liveBottleneck({ before, after, seconds: seconds || uptimeOf(after) }, await emulated);
}

/** A page of metrics is there at once, unless its server's event loop stands still. */
const ANSWER_MS = 10_000;

async function fetchText(
  address: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<string> {
  const problem = (what: string, cause?: unknown) =>
    new RaglineError("dependency_failed", `${address}: ${what}`, { cause });
  const limit = within(ANSWER_MS, signal);
  try {
    const response = await fetch(address, { headers: { ...headers }, signal: limit });
    if (response.status === 401 || response.status === 403) throw keyNeeded(address.href, "observe");
    if (!response.ok) throw problem(`status ${response.status}; name the server with --url`);
    return await response.text();
  } catch (cause) {
    if (cause instanceof RaglineError) throw cause;
    // A connection that is not accepted has a limit of its own, as long.
    const isUnaccepted = ((cause as Error).cause as NodeJS.ErrnoException)?.code === "UND_ERR_CONNECT_TIMEOUT";
    const isSilent = (limit.aborted || isUnaccepted) && !signal.aborted;
    if (isSilent)
      throw problem(`no answer within ${ANSWER_MS / 1000} s: the server hangs, or has more to do than it can`);
    throw problem("nobody answers; name the server with --url", cause);
  }
}

/** A server that does not say is taken at its word. */
async function emulatedAt(status: () => Promise<string>): Promise<Step[]> {
  try {
    const { emulated = [] } = JSON.parse(await status()) as { readonly emulated?: readonly string[] };
    return STEPS.filter((step) => emulated.includes(step));
  } catch {
    return [];
  }
}

function uptimeOf(text: string): number {
  const started = /^process_start_time_seconds(?:\{[^}]*\})? (\S+)/m.exec(text)?.[1];
  return Math.max(1, Date.now() / 1000 - Number(started ?? Date.now() / 1000));
}
