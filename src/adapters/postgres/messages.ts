/** Of a statement: buffers go as binary, everything else as text. */
export type StatementValue = string | number | Buffer;

export interface PreparedStatement {
  readonly name: string;
  readonly values: readonly StatementValue[];
}

/** Executes what was bound last, to its end. */
const EXECUTE = Buffer.from("E\0\0\0\x09\0\0\0\0\0", "latin1");
const SYNC = Buffer.from("S\0\0\0\x04", "latin1");
const BIND = "B".charCodeAt(0);
const BINARY = 1;
const TEXT = 0;
/** Of one format for all results, which is text: 16 bits each. */
const ALL_AS_TEXT = 1 << 16;

/**
 * The messages that execute prepared statements one after the other, in one transaction: Bind and Execute of each, without a portal's
 * name, then Sync. See https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export function executed(statements: readonly PreparedStatement[]): Buffer {
  const binds = statements.map(sizeOf);
  const size = binds.reduce((sum, bind) => sum + bind + EXECUTE.length, SYNC.length);
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const [i, statement] of statements.entries()) {
    at = writeBind(statement, binds[i] ?? 0, bytes, at);
    at += EXECUTE.copy(bytes, at);
  }
  SYNC.copy(bytes, at);
  return bytes;
}

/** Of its Bind: type, length, two names, the formats of values, the values, and that results are text. */
function sizeOf({ name, values }: PreparedStatement): number {
  let size = 1 + 4 + 1 + Buffer.byteLength(name) + 1 + 2 + 2 * values.length + 2 + 4;
  for (const value of values) size += 4 + lengthOf(value);
  return size;
}

function lengthOf(value: StatementValue): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  return typeof value === "number" ? `${value}`.length : value.length;
}

function writeBind({ name, values }: PreparedStatement, size: number, bytes: Buffer, from: number): number {
  let at = from;
  bytes[at++] = BIND;
  at = bytes.writeInt32BE(size - 1, at);
  bytes[at++] = 0;
  at += bytes.write(name, at);
  bytes[at++] = 0;
  at = bytes.writeUInt16BE(values.length, at);
  for (const value of values) at = bytes.writeInt16BE(typeof value === "object" ? BINARY : TEXT, at);
  at = bytes.writeUInt16BE(values.length, at);
  for (const value of values) {
    const start = at + 4;
    const end = start + (typeof value === "object" ? value.copy(bytes, start) : bytes.write(`${value}`, start));
    bytes.writeInt32BE(end - start, at);
    at = end;
  }
  return bytes.writeInt32BE(ALL_AS_TEXT, at);
}
