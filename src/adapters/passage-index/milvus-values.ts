import { hash } from "node:crypto";
import type { Metadata } from "../../types.ts";
import { sortableLimits, sortableValues } from "./sortable-values.ts";

/** Lists are filled up to a power of two with their last value, so that few lengths occur. */
export const LIST_LENGTHS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024] as const;
export const LIST_LENGTH_MAX = 1024;

/** What metadata is stored as: filters hold digests and hexadecimal digits alone, so that nothing needs to be escaped. */
export interface StoredMetadata {
  /** Digests: of each value, of each field, and of each list's length. */
  readonly meta: readonly string[];
  /** By `sortedKey`: the values in hexadecimal digits, ordered as the values are. */
  readonly sorted: Readonly<Record<string, readonly string[]>>;
}

export function storedMetadata(metadata: Metadata): StoredMetadata {
  const meta = new Set<string>();
  const sorted: Record<string, string[]> = {};
  for (const [field, value] of Object.entries(metadata)) {
    meta.add(fieldMark(field));
    for (const [i, one] of sortableValues({ [field]: value }).entries()) {
      meta.add(digest(one));
      const plain = typeof value === "object" ? value[i] : value;
      if (typeof plain !== "string" && typeof plain !== "number") continue;
      const list = sorted[sortedKey(field, plain)] ?? [];
      list.push(sortedDigits(field, plain, one));
      sorted[sortedKey(field, plain)] = list;
    }
  }
  for (const [key, list] of Object.entries(sorted)) {
    const length = LIST_LENGTHS.find((length) => length >= list.length) ?? list.length;
    while (list.length < length) list.push(list.at(-1) ?? "");
    meta.add(lengthMark(key, length));
  }
  return { meta: [...meta], sorted };
}

/** Of the numbers, or of the strings, of a field. */
export function sortedKey(field: string, example: string | number): string {
  return `${typeof example === "number" ? "n" : "s"}${digest(field)}`;
}

/** A sortable value without its field, as digits that are ordered as it is. */
export function sortedDigits(field: string, example: string | number, sortable: string): string {
  const [prefix] = sortableLimits(field, example);
  return hexOf(sortable.slice(prefix.length));
}

/** Stands in the metadata of every document that has the field. */
export function fieldMark(field: string): string {
  return digest(`field:${field}`);
}

/** Stands in the metadata of every document that has a list of this length under the key. */
export function lengthMark(key: string, length: number): string {
  return digest(`length:${key}:${length}`);
}

/** Who may read a row: a comparison is many times cheaper than a look into a list, and most rows are open. */
export function storedReaders(groups: readonly string[]): { readonly open: boolean; readonly readers: string[] } {
  return { open: groups.length === 0, readers: groups.map(ofGroup) };
}

/** Rows that a caller of these groups may read. */
export function readableBy(groups: readonly string[]): string {
  if (groups.length === 0) return "open == true";
  return `(open == true or array_contains_any(readers, ${listOf(groups.map(ofGroup))}))`;
}

/** `values` hold neither quotes nor backslashes. */
export function listOf(values: readonly string[]): string {
  return `["${values.join('","')}"]`;
}

/** Stands in the state of each of a tenant's collections. */
export function tenantMark(tenant: string): string {
  return digest(`tenant:${tenant}`);
}

function ofGroup(group: string): string {
  return digest(`group:${group}`);
}

/** 96 bits, as hexadecimal digits. */
export function digest(text: string): string {
  return hash("sha256", text, "hex").slice(0, 24);
}

/** Ordered, byte by byte, as the text is in UTF-8. */
export function hexOf(text: string): string {
  return Buffer.from(text, "utf8").toString("hex");
}

export function textOfHex(hex: string): string {
  return Buffer.from(hex, "hex").toString("utf8");
}
