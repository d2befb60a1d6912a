import { refusalOf } from "./post.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Fields of a request that not every endpoint takes: one that a 400 or 422 names is left out from then on. */
export class OptionalFields {
  #fields: Fields;

  constructor(fields: Fields) {
    this.#fields = fields;
  }

  /** Sends with the fields that the endpoint is not known to refuse; again, at once, where it refuses one. */
  async send<T>(call: (fields: Fields) => Promise<T>): Promise<T> {
    while (true) {
      const fields = this.#fields;
      try {
        return await call(fields);
      } catch (thrown) {
        const refusal = refusalOf(thrown);
        const named = Object.keys(fields).filter((name) => refusal?.reason.includes(name));
        if (named.length === 0 || !(refusal?.status === 400 || refusal?.status === 422)) throw thrown;
        this.#fields = Object.fromEntries(Object.entries(this.#fields).filter(([name]) => !named.includes(name)));
      }
    }
  }
}
