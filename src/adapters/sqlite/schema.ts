/** Changes with the tables: a file of another version is refused. */
export const SCHEMA_VERSION = 3;

/**
 * One file for everything that must survive. `passages.row` is never reused, so that a row id names one text for ever.
 * `changes` holds the latest change of each document: what an index in memory has to read to catch up; see `NEXT_CHANGE`. `shadows` and
 * `shadow_vectors` hold the vectors of a space that a collection is being moved to.
 */
export const SCHEMA = `
CREATE TABLE identity (id TEXT NOT NULL);
INSERT INTO identity VALUES (lower(hex(randomblob(8))));
CREATE TABLE collections (
  row INTEGER PRIMARY KEY,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  embedder TEXT NOT NULL,
  dimensions INTEGER NOT NULL,
  UNIQUE (tenant, name)
);
CREATE TABLE documents (
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  collection INTEGER NOT NULL REFERENCES collections,
  id TEXT NOT NULL,
  title TEXT NOT NULL,
  url TEXT,
  hash TEXT NOT NULL,
  metadata TEXT NOT NULL,
  groups TEXT NOT NULL,
  source TEXT,
  passages INTEGER NOT NULL,
  indexed_at TEXT NOT NULL,
  UNIQUE (collection, id)
);
CREATE TABLE passages (
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
  ordinal INTEGER NOT NULL,
  headings TEXT NOT NULL,
  text TEXT NOT NULL,
  tokens INTEGER NOT NULL,
  page INTEGER,
  page_end INTEGER,
  vector BLOB,
  UNIQUE (document, ordinal)
);
CREATE TABLE shadows (
  collection INTEGER PRIMARY KEY REFERENCES collections,
  embedder TEXT NOT NULL,
  dimensions INTEGER NOT NULL
);
CREATE TABLE shadow_vectors (
  passage INTEGER PRIMARY KEY REFERENCES passages ON DELETE CASCADE,
  vector BLOB
);
CREATE TABLE changes (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  collection INTEGER NOT NULL,
  document INTEGER NOT NULL,
  UNIQUE (document)
);
CREATE INDEX changes_by_collection ON changes (collection, seq);
CREATE TABLE fusion (
  collection INTEGER PRIMARY KEY REFERENCES collections,
  learned TEXT NOT NULL
);
CREATE TABLE sessions (
  row INTEGER PRIMARY KEY,
  tenant TEXT NOT NULL,
  collection TEXT NOT NULL,
  id TEXT NOT NULL,
  version INTEGER NOT NULL,
  replaced_version INTEGER NOT NULL DEFAULT 0,
  summary TEXT NOT NULL DEFAULT '',
  summarized_turns INTEGER NOT NULL DEFAULT 0,
  entities TEXT NOT NULL DEFAULT '[]',
  turn_count INTEGER NOT NULL DEFAULT 0,
  total_tokens INTEGER NOT NULL DEFAULT 0,
  recall_model TEXT,
  groups TEXT,
  UNIQUE (tenant, collection, id)
);
CREATE TABLE turns (
  session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
  number INTEGER NOT NULL,
  request_id TEXT NOT NULL,
  question TEXT NOT NULL,
  query TEXT NOT NULL,
  answer TEXT NOT NULL,
  status TEXT NOT NULL,
  tokens INTEGER NOT NULL,
  at TEXT NOT NULL,
  short_question TEXT,
  short_answer TEXT,
  short_tokens INTEGER,
  sources TEXT,
  finish_reason TEXT,
  UNIQUE (session, number),
  UNIQUE (session, request_id)
);
CREATE TABLE pending_turns (
  session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
  request_id TEXT NOT NULL,
  question TEXT NOT NULL,
  tokens INTEGER NOT NULL,
  at TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  UNIQUE (session, request_id)
);
CREATE TABLE turn_vectors (
  session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
  number INTEGER NOT NULL,
  vector BLOB NOT NULL,
  UNIQUE (session, number)
);
CREATE TABLE answers (
  tenant TEXT NOT NULL,
  collection TEXT NOT NULL,
  key TEXT NOT NULL,
  answer TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (tenant, collection, key)
);
CREATE INDEX answers_by_age ON answers (created_at);
`;

/** Columns that files of this version may lack; whoever knows nothing of them reads and writes the table all the same. */
export const LATER_COLUMNS = [
  { table: "turns", column: "sources", type: "TEXT" },
  { table: "turns", column: "finish_reason", type: "TEXT" },
  { table: "sessions", column: "groups", type: "TEXT" },
] as const;

/**
 * The number of a change: the microsecond, or one more than the last. Of a file that was restored from a backup it is never one that a
 * lost change had.
 */
export const NEXT_CHANGE = `max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'changes'), 0) + 1,
  CAST(1000 * unixepoch('subsec') AS INTEGER) * 1000)`;
