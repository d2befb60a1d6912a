import { RaglineError } from "../../errors.ts";
import type { EndpointOptions } from "./post.ts";

/** An embedding endpoint, and what its model expects. */
export interface HttpEmbedderOptions extends EndpointOptions {
  /** Of `openai` up to and with `/v1`; of `tei` the server, without `/embed`, which must say that it serves `model`. */
  readonly baseUrl: string;
  readonly model: string;
  readonly dimensions: number;
  readonly queryPrefix: string;
  readonly passagePrefix: string;
}

/** An upstream's vector, given as numbers or as base64 of little-endian float32, at unit length. @throws RaglineError */
export function unitVector(values: unknown, dimensions: number): Float32Array {
  const vector = typeof values === "string" ? fromBase64(values) : fromNumbers(values);
  if (vector.length !== dimensions) {
    throw unusable(`${vector.length} values in a vector, but embed.dimensions says ${dimensions}`);
  }
  let sum = 0;
  for (let i = 0; i < dimensions; i++) sum += (vector[i] ?? 0) ** 2;
  // NaN and infinity, of any value, end up here.
  if (!Number.isFinite(sum)) throw unusable("a value that is no finite number in a vector");
  const norm = Math.sqrt(sum);
  if (norm > 0) for (let i = 0; i < dimensions; i++) vector[i] = (vector[i] ?? 0) / norm;
  return vector;
}

/** `reason`: for clients too, so nothing that the endpoint wrote; that is for `cause`, which the log has. */
export function unusable(reason: string, cause?: Error): RaglineError {
  const message = `The embedding endpoint's answer cannot be used: ${reason}.`;
  return new RaglineError("dependency_failed", message, { retryable: false, cause });
}

/** Embeds the texts that say something; the others, which many endpoints refuse, get zeros. */
export async function exceptBlank(
  texts: readonly string[],
  dimensions: number,
  embed: (texts: readonly string[]) => Promise<Float32Array[]>,
): Promise<Float32Array[]> {
  const isBlank = texts.map((text) => text.trim() === "");
  if (!isBlank.includes(true)) return embed(texts);
  const said = texts.filter((_, i) => !isBlank[i]);
  const next = (said.length === 0 ? [] : await embed(said)).values();
  return isBlank.map((blank) => (blank ? undefined : next.next().value) ?? new Float32Array(dimensions));
}

function fromNumbers(values: unknown): Float32Array {
  if (!Array.isArray(values)) throw unusable("a vector that is no list of numbers");
  // Else null would pass as 0.
  for (const value of values) if (typeof value !== "number") throw unusable("a value that is no number in a vector");
  return new Float32Array(values as number[]);
}

function fromBase64(text: string): Float32Array {
  const bytes = Buffer.from(text, "base64");
  const vector = new Float32Array(Math.floor(bytes.length / 4));
  for (let i = 0; i < vector.length; i++) vector[i] = bytes.readFloatLE(4 * i);
  return vector;
}
