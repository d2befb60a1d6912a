import { MessageReader, MessageWriter } from "./milvus-protobuf.ts";
import { dimensionOf } from "./milvus-terms.ts";

/** By the names of milvus.proto. */
export interface MilvusStatus {
  readonly error_code: number;
  readonly code: number;
  readonly reason: string;
  readonly retriable: boolean;
}

export type Row = Readonly<Record<string, unknown>>;

/** What was found, or why not. */
export interface FoundRows {
  readonly status?: MilvusStatus;
  readonly rows: readonly Row[];
}

/** What a passage is told by, and its score. */
export interface Place {
  readonly id: string;
  readonly document: string;
  readonly score: number;
}

/** Best first. */
export interface FoundPlaces {
  readonly status?: MilvusStatus;
  readonly places: readonly Place[];
  /** How many there were. */
  readonly total: number;
}

export interface SearchMessage {
  readonly collection: string;
  readonly filter: string;
  /** The field that is searched. */
  readonly by: string;
  readonly metric: "COSINE" | "IP";
  /** Weights by hash: a sparse vector. */
  readonly vector: Float32Array | ReadonlyMap<number, number>;
  readonly params: Readonly<Record<string, number>>;
  readonly limit: number;
  readonly isStrong: boolean;
}

export interface QueryMessage {
  readonly collection: string;
  readonly filter: string;
  readonly fields: readonly string[];
  readonly params: Readonly<Record<string, string | number>>;
  readonly isStrong: boolean;
}

/** Levels, kinds and types of common.proto and schema.proto. */
const BOUNDED = 2;
const BOOLEAN_EXPRESSION = 1;
const FLOAT_VECTOR = 101;
const SPARSE_FLOAT_VECTOR = 104;

/** A `SearchRequest` of one vector. */
export function searchMessage(asked: SearchMessage): Buffer {
  const { collection, filter, by, metric, vector, params, limit, isStrong } = asked;
  const isSparse = !(vector instanceof Float32Array);
  const values = isSparse ? sparseBytes(vector) : new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
  const placeholder = new MessageWriter(values.byteLength + 32)
    .string(1, "$0")
    .number(2, isSparse ? SPARSE_FLOAT_VECTOR : FLOAT_VECTOR)
    .bytes(3, values)
    .done();
  const message = new MessageWriter(values.byteLength + filter.length + 512)
    .string(3, collection)
    .string(5, filter)
    .bytes(6, new MessageWriter(placeholder.byteLength + 16).bytes(1, placeholder).done())
    .number(7, BOOLEAN_EXPRESSION)
    .string(8, "document");
  const all = { anns_field: by, topk: limit, metric_type: metric, params: JSON.stringify(params), round_decimal: -1 };
  for (const [key, value] of Object.entries(all)) message.bytes(9, pair(key, value));
  message.number(12, 1);
  if (!isStrong) message.number(14, BOUNDED);
  return message.done();
}

/** A `QueryRequest`. */
export function queryMessage({ collection, filter, fields, params, isStrong }: QueryMessage): Buffer {
  const message = new MessageWriter(filter.length + 512).string(3, collection).string(4, filter);
  for (const field of fields) message.string(5, field);
  for (const [key, value] of Object.entries(params)) message.bytes(9, pair(key, value));
  if (!isStrong) message.number(11, BOUNDED);
  return message.done();
}

function pair(key: string, value: string | number): Buffer {
  return new MessageWriter(64).string(1, key).string(2, String(value)).done();
}

/** Pairs of dimension and value, 32 bits each, ascending. */
function sparseBytes(weights: ReadonlyMap<number, number>): Buffer {
  const pairs = [...weights].map(([hash, weight]) => [dimensionOf(hash), weight] as const);
  const bytes = Buffer.allocUnsafe(8 * pairs.length);
  for (const [i, [dimension, weight]] of pairs.sort(([a], [b]) => a - b).entries()) {
    bytes.writeUInt32LE(dimension, 8 * i);
    bytes.writeFloatLE(weight, 8 * i + 4);
  }
  return bytes;
}

/** Of a `SearchResults`: the best `wanted`, and others that may be told to score as the last of them: within `tolerance`. */
export function readPlaces(bytes: Buffer, wanted: number, tolerance: number): FoundPlaces {
  const reader = new MessageReader(bytes);
  let status: MilvusStatus | undefined;
  let results = new MessageReader(Buffer.alloc(0));
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) status = readStatus(reader.message());
    else if (field === 2) results = reader.message();
  }
  let scores: Float32Array = new Float32Array(0);
  let [documents, ids] = [results, results];
  for (let part = results.next(); part !== 0; part = results.next()) {
    if (part === 3) documents = results.message();
    else if (part === 4) scores = results.floats();
    else if (part === 5) ids = results.message();
  }
  const total = scores.length;
  const floor = total > wanted ? (scores[wanted - 1] as number) - tolerance : Number.NEGATIVE_INFINITY;
  let size = Math.min(wanted, total);
  while (size < total && (scores[size] as number) >= floor) size++;
  const [stored, names] = [readColumn(documents, size).values, readIds(ids, size)];
  const places = names.map((id, i) => ({ id, document: String(stored[i]), score: scores[i] as number }));
  return { ...(status && { status }), places, total };
}

/** Of a `QueryResults`: what was asked for, by name; whole numbers as numbers, vectors as `Float32Array`, sparse ones by dimension. */
export function readRows(bytes: Buffer): FoundRows {
  const reader = new MessageReader(bytes);
  let status: MilvusStatus | undefined;
  const columns: Column[] = [];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) status = readStatus(reader.message());
    else if (field === 2) columns.push(readColumn(reader.message()));
  }
  return { ...(status && { status }), rows: rowsOf(columns) };
}

interface Column {
  readonly name: string;
  readonly values: ArrayLike<unknown>;
}

function rowsOf(columns: readonly Column[]): Row[] {
  const rows: Record<string, unknown>[] = Array.from({ length: columns[0]?.values.length ?? 0 }, () => ({}));
  for (const { name, values } of columns) {
    for (const [i, row] of rows.entries()) row[name] = values[i];
  }
  return rows;
}

function readStatus(reader: MessageReader): MilvusStatus {
  const status = { error_code: 0, code: 0, reason: "", retriable: false };
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) status.error_code = reader.number();
    else if (field === 2) status.reason = reader.string();
    else if (field === 3) status.code = reader.number();
    else if (field === 4) status.retriable = reader.number() !== 0;
  }
  return status;
}

function readIds(reader: MessageReader, rowsMax: number): readonly string[] {
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 2) return strings(reader.message(), rowsMax);
  }
  return [];
}

/** Of a `FieldData`: of texts the first `rowsMax`. */
function readColumn(reader: MessageReader, rowsMax = Number.POSITIVE_INFINITY): Column {
  let name = "";
  let values: ArrayLike<unknown> = [];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 2) name = reader.string();
    else if (field === 3) values = readScalars(reader.message(), rowsMax);
    else if (field === 4) values = readVectors(reader.message());
  }
  return { name, values };
}

/** One of its kinds is there. */
function readScalars(reader: MessageReader, rowsMax: number): ArrayLike<unknown> {
  const field = reader.next();
  if (field === 0) return [];
  const list = reader.message();
  if (field === 6) return strings(list, rowsMax);
  if (list.next() === 0) return [];
  if (field === 1) return list.numbers().map((value) => value !== 0);
  if (field === 2 || field === 3) return list.numbers();
  throw new Error(`a column of kind ${field} is not read`);
}

function readVectors(reader: MessageReader): ArrayLike<unknown> {
  let dimensions = 0;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) dimensions = reader.number();
    else if (field === 2) {
      const list = reader.message();
      const all = list.next() === 0 ? new Float32Array(0) : list.floats();
      return Array.from({ length: all.length / dimensions || 0 }, (_, i) =>
        all.slice(i * dimensions, (i + 1) * dimensions),
      );
    } else if (field === 6) return readSparse(reader.message());
  }
  return [];
}

function readSparse(reader: MessageReader): Record<number, number>[] {
  const vectors: Record<number, number>[] = [];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field !== 1) continue;
    const bytes = reader.bytes();
    const vector: Record<number, number> = {};
    for (let i = 0; i + 8 <= bytes.length; i += 8) vector[bytes.readUInt32LE(i)] = bytes.readFloatLE(i + 4);
    vectors.push(vector);
  }
  return vectors;
}

function strings(reader: MessageReader, rowsMax: number): string[] {
  const values: string[] = [];
  for (let field = reader.next(); field !== 0 && values.length < rowsMax; field = reader.next()) {
    if (field === 1) values.push(reader.string());
  }
  return values;
}
