/** WAL with a full sync: what was acknowledged survives `kill -9` and power loss. */
export const PRAGMAS = `
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
`;
