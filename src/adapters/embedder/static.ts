import { readFileSync } from "node:fs";
import type { Embedder } from "../../ports/embedder.ts";

const TABLE = new URL("../../../assets/static-ko-en/table.bin", import.meta.url);
const MAGIC = "SEMB";

/** Smooth inverse frequency: an entry weighs a / (a + p), p being its share of all entries in use (Arora et al., 2017). */
const A = 3e-4;

/** Splits `camelCase` and `HTTPServer` before case is lost. */
const CAMEL = /(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g;

/** Hangul, Latin letters, digits; any other letter or digit by itself. */
const RUN = /[가-힣]+|[a-z]+|[0-9]+|[\p{L}\p{N}]/gu;

/** Texts are read up to here: characters (UTF-16 code units). The mean of so many words changes no more. */
const TEXT_LENGTH_MAX = 50_000;

interface Table {
  readonly dimensions: number;
  /** Entry to its number. */
  readonly numbers: ReadonlyMap<string, number>;
  /** Characters of the longest entry. */
  readonly longest: number;
  /** Factor of each entry's nibbles: its scale times its weight. */
  readonly factors: Float64Array;
  /** Two values a byte, the low nibble first; value = nibble − 8. */
  readonly nibbles: Uint8Array;
}

/**
 * A table of Korean and English word vectors distilled from multilingual-e5-small, and a weighted mean: no model at run time,
 * microseconds a text. It helps across languages and where words differ; it is weaker than any transformer. Other scripts
 * give zeros. Loads the table when called, some 20 ms; `file` is another one of the same format.
 */
export function createStaticEmbedder(file: string | URL = TABLE): Embedder {
  const table = readTable(readFileSync(file), String(file));
  return {
    model: `static-ko-en/${table.dimensions}`,
    dimensions: table.dimensions,
    embed: async (texts) => texts.map((text) => embedText(table, text)),
  };
}

function embedText(table: Table, text: string): Float32Array {
  const { dimensions, nibbles, factors } = table;
  const sum = new Float64Array(dimensions);
  for (const entry of entriesOf(table, text)) {
    const factor = factors[entry] ?? 0;
    const from = (entry * dimensions) / 2;
    for (let i = 0; i < dimensions; i += 2) {
      const byte = nibbles[from + i / 2] ?? 0;
      sum[i] = (sum[i] ?? 0) + factor * ((byte & 15) - 8);
      sum[i + 1] = (sum[i + 1] ?? 0) + factor * ((byte >> 4) - 8);
    }
  }
  return unit(sum);
}

/** The table's entries in a text: each run is cut greedily into the longest that fit; what no entry covers is skipped. */
function* entriesOf({ numbers, longest }: Table, text: string): Generator<number> {
  const plain = text.slice(0, TEXT_LENGTH_MAX).normalize("NFKC").replace(CAMEL, " ").toLowerCase();
  for (const [run] of plain.matchAll(RUN)) {
    let at = 0;
    while (at < run.length) {
      let end = Math.min(run.length, at + longest);
      let entry = numbers.get(run.slice(at, end));
      while (entry === undefined && --end > at) entry = numbers.get(run.slice(at, end));
      if (entry !== undefined) yield entry;
      at = entry === undefined ? at + 1 : end;
    }
  }
}

/**
 * Reads the format of assets/static-ko-en/README.md: magic, u32 length of the header, header JSON, the entries by lines,
 * float32 frequencies, float32 scales, nibbles; all little-endian.
 */
function readTable(file: Buffer, name: string): Table {
  if (file.toString("latin1", 0, 4) !== MAGIC) throw new Error(`${name} is no table of word vectors.`);
  const headerEnd = 8 + file.readUInt32LE(4);
  const header: { dims: number; n: number; textBytes: number } = JSON.parse(file.toString("utf8", 8, headerEnd));
  const entriesEnd = headerEnd + header.textBytes;
  const entries = file.toString("utf8", headerEnd, entriesEnd).split("\n");
  const factors = Float64Array.from({ length: header.n }, (_, i) => {
    const frequency = file.readFloatLE(entriesEnd + 4 * i);
    return (file.readFloatLE(entriesEnd + 4 * (header.n + i)) * A) / (A + frequency);
  });
  return {
    dimensions: header.dims,
    numbers: new Map(entries.map((entry, i) => [entry, i])),
    longest: Math.max(...entries.map((entry) => [...entry].length)),
    factors,
    nibbles: file.subarray(entriesEnd + 8 * header.n),
  };
}

/** Unit length, or all zeros where there is nothing. */
function unit(sum: Float64Array): Float32Array {
  const length = Math.hypot(...sum);
  return Float32Array.from(sum, (value) => (length > 0 ? value / length : 0));
}
