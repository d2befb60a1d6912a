/**
 * WAL with a full sync: what was acknowledged survives `kill -9` and power loss. What is deleted is overwritten, in the file once the log is
 * emptied into it: `FAST` would leave whole pages of it there.
 */
export const PRAGMAS = `
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA secure_delete = ON;
`;
