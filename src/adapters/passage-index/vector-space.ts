import { RaglineError } from "../../errors.ts";
import type { Scope } from "../../types.ts";

/** What a collection is embedded with; or what an embedder apart embeds with, which is not known before it was reached: 0 dimensions. */
export interface Space {
  readonly model: string;
  readonly dimensions: number;
}

export function isSame(a: Space, b: Space): boolean {
  return a.model === b.model && a.dimensions === b.dimensions;
}

/** @throws RaglineError `conflict`: another length than the embedder's; `request_invalid`: a value is not finite */
export function checkVector(vector: Float32Array, { model, dimensions }: Space): void {
  if (vector.length !== dimensions) {
    throw new RaglineError("conflict", `vector: ${vector.length} values, but ${model} has ${dimensions}`, {
      retryable: false,
    });
  }
  // A call for each value would take several times as long as the loop, on every search.
  for (let at = 0; at < vector.length; at++) {
    if (Number.isFinite(vector[at])) continue;
    throw new RaglineError("request_invalid", `vector: value ${at} is ${vector[at]}, not a finite number.`);
  }
}

/** `instead`: what else to do than to use the same one. @returns RaglineError `conflict`, naming both spaces */
export function spaceConflict(
  { collection }: Scope,
  stored: Space,
  own: Space,
  instead = "index into another collection",
): RaglineError {
  return new RaglineError(
    "conflict",
    `collection ${collection} was indexed with the embedder ${stored.model} (${stored.dimensions} dimensions); ` +
      `the configured one is ${own.model} (${own.dimensions}): use the same one, or ${instead}`,
    { retryable: false },
  );
}
