import { dot } from "../../statistics.ts";
import type { CallOptions } from "../../types.ts";

/** Of two answers for one text, as cosine: what batching and another machine's arithmetic change is far less. */
const ALIKE_MIN = 0.99;

/** A gateway may name each call. */
const NAMES_MAX = 1_000;

/** What an answer names its model, and its first vector, at unit length. */
export interface NamedVector {
  readonly model: unknown;
  readonly vector: Float32Array;
}

type Again = (call: CallOptions) => Promise<NamedVector>;

/**
 * Notices a server that answers with another model under the same configured name. What servers call their model says little: a gateway names
 * whichever deployment answered. So a name that is new has a text that was embedded under the first one embedded again, and is
 * taken for the same model where the vectors agree.
 */
export class SameSpace {
  readonly #names = new Set<string>();
  #first: { readonly name: string; readonly vector: Float32Array; readonly again: Again } | undefined;

  /** Null, or the names of the first model and of one whose vectors are not its. `again`: asks for the same vector, without looking here. */
  async stranger(
    { model, vector }: NamedVector,
    again: Again,
    call: CallOptions,
  ): Promise<readonly [string, string] | null> {
    if (typeof model !== "string" || model === "" || this.#names.has(model)) return null;
    if (!this.#first) {
      this.#first = { name: model, vector, again };
      this.#names.add(model);
      return null;
    }
    const { name, vector: before } = this.#first;
    const now = await this.#first.again(call);
    // Somebody else answered this time: nothing is known of the new one.
    if (now.model !== model) return null;
    if (dot(before, now.vector) < ALIKE_MIN) return [name, model];
    if (this.#names.size >= NAMES_MAX) this.#names.clear();
    this.#names.add(model);
    return null;
  }
}
