/** What a step that failed is replaced by, as `degraded` says it. */
export const INSTEAD = {
  cache: { instead: "answered anew", value: null },
  embed: { instead: "searched by text alone", value: null },
  record: { instead: "the question was not recorded before its answer", value: undefined },
  save: { instead: "turn not stored", value: undefined },
  compact: { instead: "tried again after the next answer", value: false },
} as const;
