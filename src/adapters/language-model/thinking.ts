const OPEN = "<think>";
const CLOSE = "</think>";

/**
 * Takes what a model thinks aloud, as servers without a reasoning parser pass it on, out of an answer: blocks in `<think>` at its
 * beginning. Tags further on are the answer's own. Called once a token.
 */
export class Thinking {
  #state: "before" | "inside" | "answering" = "before";
  /** What may become a tag, and blanks before it. */
  #held = "";
  #hasThought = false;

  /** The part of the text that is clearly the answer's. */
  push(text: string): string {
    if (this.#state === "answering") return text;
    this.#held += text;
    while (true) {
      if (this.#state === "inside" && !this.#close()) return "";
      const begun = this.#held.trimStart();
      if (!begun.startsWith(OPEN)) return OPEN.startsWith(begun) ? "" : this.end();
      this.#held = begun.slice(OPEN.length);
      this.#hasThought = true;
      this.#state = "inside";
    }
  }

  /** What was held back and is no thought. */
  end(): string {
    const answer = this.#state === "inside" ? "" : this.#held;
    this.#state = "answering";
    this.#held = "";
    return this.#hasThought ? answer.trimStart() : answer;
  }

  #close(): boolean {
    const at = this.#held.indexOf(CLOSE);
    this.#held = at < 0 ? this.#held.slice(-CLOSE.length) : this.#held.slice(at + CLOSE.length);
    if (at >= 0) this.#state = "before";
    return at >= 0;
  }
}
