/** What a search gives. */
export interface Response<T = unknown> {
  readonly hits: { readonly total?: { readonly value: number }; readonly hits: readonly T[] };
  readonly aggregations?: unknown;
}

/** One of several: without what is empty. */
export interface FilteredResponse {
  readonly status?: number;
  readonly error?: unknown;
  readonly timed_out?: boolean;
  readonly hits?: Partial<Response["hits"]>;
}

export const NOTHING: Response<never> = { hits: { total: { value: 0 }, hits: [] } };

/** Of the responses to several searches, what is read here: the rest is twice as long. The status keeps each in its place. */
const READ = [
  "status",
  "error",
  "timed_out",
  "hits.total.value",
  "hits.hits._index",
  "hits.hits._id",
  "hits.hits._score",
];
export const SEARCHES = `/_msearch?filter_path=error,status,${READ.map((field) => `responses.${field}`).join(",")}`;

export function hasFailed({ error, timed_out }: FilteredResponse): boolean {
  return error !== undefined || timed_out === true;
}

/** As `Response`, of one that has not failed. */
export function found({ hits = {} }: FilteredResponse): Response {
  return { hits: { ...hits, hits: hits.hits ?? [] } };
}
