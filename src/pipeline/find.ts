import { callsSent } from "../calls-sent.ts";
import { isUsed } from "../fusion/weights.ts";
import type { VectorWeights } from "../ports/fusion-store.ts";
import type { Run } from "../run.ts";
import type { CallOptions, ScoredPassage } from "../types.ts";
import { embedQuery } from "./embed.ts";
import { FALLBACKS, searchOrder } from "./fallbacks.ts";
import { fusionWeights } from "./fusion-weights.ts";
import type { FoundByText } from "./own-topic.ts";
import { rerank } from "./rerank.ts";
import { expectSearch, search, searchText } from "./search.ts";
import type { Question, Stages } from "./stages.ts";

export interface Found {
  /** The best, as an answer would quote them. */
  readonly hits: readonly ScoredPassage[];
  /** What search found, in its order. */
  readonly found: readonly ScoredPassage[];
}

type Asked = Pick<Question, "scope" | "filter"> & { readonly query: string };

/** The steps 4 and 5 for one query. How the legs weigh is looked up once. */
export class Finder {
  readonly #stages: Stages;
  readonly #asked: Asked;
  readonly #run: Run;
  #weights: Promise<VectorWeights> | null = null;
  #ahead: Promise<Float32Array | null> | null = null;

  constructor(stages: Stages, asked: Asked, run: Run) {
    this.#stages = stages;
    this.#asked = asked;
    this.#run = run;
  }

  /** Embeds the query before its turn, if vectors weighed anything when that was last looked up. Resolves when the call is out. */
  embedAhead(): Promise<void> {
    const { scope, query } = this.#asked;
    this.#ahead = this.#run.ahead("embed", (call) => {
      const last = { signal: call.signal, asOf: Number.NEGATIVE_INFINITY };
      return embedQuery(this.#stages, scope, query, call, fusionWeights(this.#stages, scope, query, last));
    });
    return callsSent();
  }

  get query(): string {
    return this.#asked.query;
  }

  byText(): Promise<FoundByText> {
    return this.#run.must("search", (call) => searchText(this.#stages, this.#asked, this.query, call));
  }

  async find(): Promise<{ readonly vector: Float32Array | null; readonly found: ScoredPassage[] }> {
    const { query } = this.#asked;
    const vector = await this.#run.may("embed", (call) => this.#embed(call), FALLBACKS.embed);
    const found = await this.#run.must("search", (call) =>
      search(this.#stages, this.#asked, query, vector, call, this.#weigh(call)),
    );
    return { vector, found };
  }

  async #embed(call: CallOptions): Promise<Float32Array | null> {
    const { scope, query } = this.#asked;
    const weights = await this.#weigh(call);
    if (!isUsed(weights).vector) return null;
    const embed = () => embedQuery(this.#stages, scope, query, call, this.#weigh(call));
    const ahead = this.#ahead;
    // An answer that is being written holds no vector.
    this.#ahead = null;
    const vector = ahead ?? embed();
    expectSearch(this.#stages, this.#asked, query, weights, call);
    return (await vector) ?? (ahead && embed());
  }

  #weigh(call: CallOptions): Promise<VectorWeights> {
    const { scope, query } = this.#asked;
    const lookUp = () => fusionWeights(this.#stages, scope, query, call);
    // What failed in the step before, or was given up there, is this step's to look up.
    this.#weights = this.#weights?.catch(lookUp) ?? lookUp();
    this.#weights.catch(() => undefined);
    return this.#weights;
  }
}

/** A search before its turn, while something else is waited for. */
export interface Ahead {
  /** Of the corpus as it was before the search: what quotes it is an answer of this version, or of none. Undefined: nobody looks for one. */
  readonly version: Promise<string> | undefined;
  /** Null: it failed, and is made again in its turn. */
  readonly found: Promise<Awaited<ReturnType<Finder["find"]>> | null>;
}

export function findAhead({ cache, index }: Stages, { scope, useCache }: Question, run: Run, finder: Finder): Ahead {
  const find = () => finder.find().catch(() => null);
  if (!cache || !useCache) return { version: undefined, found: find() };
  const version = run.ahead("cache", (call) => index.version(scope, call));
  return { version, found: version.then(find, find) };
}

/** The steps 4 to 6 alone: passages for a query, without an answer. */
export async function find(
  stages: Stages,
  asked: Asked & { readonly keep: number; readonly rerank: boolean },
  run: Run,
): Promise<Found> {
  const { query, keep } = asked;
  const { found } = await new Finder(stages, asked, run).find();
  const inOrder = searchOrder(found, keep);
  if (!stages.reranker || !asked.rerank) return { hits: inOrder.value, found };
  const hits = await run.may("rerank", (call) => rerank(stages, query, found, keep, call), inOrder);
  return { hits, found };
}
