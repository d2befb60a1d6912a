import type { Passage } from "../../types.ts";

/** Some 20 MB of passages of a usual length. */
const PASSAGES_MAX = 10_000;
/** Of their texts, in UTF-16 units: long ones are fewer. */
const CHARACTERS_MAX = 20_000_000;

/** Passages that were read from an engine, by a key that names one text for ever; those that were read first go first. */
export class RecentPassages<Key> {
  readonly #passages = new Map<Key, Passage>();
  #characters = 0;

  get(key: Key): Passage | undefined {
    return this.#passages.get(key);
  }

  add(key: Key, passage: Passage): void {
    if (passage.text.length > CHARACTERS_MAX) return;
    this.#forget(key);
    this.#passages.set(key, passage);
    this.#characters += passage.text.length;
    for (const oldest of this.#passages.keys()) {
      if (this.#passages.size <= PASSAGES_MAX && this.#characters <= CHARACTERS_MAX) return;
      this.#forget(oldest);
    }
  }

  #forget(key: Key): void {
    this.#characters -= this.#passages.get(key)?.text.length ?? 0;
    this.#passages.delete(key);
  }
}
