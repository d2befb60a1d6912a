import type { DocumentEntry } from "../types.ts";

type Version = Pick<DocumentEntry, "groups" | "passages">;

/** Passages that changed, or went, of what everyone may read. Null: there was no such document, or there is none any more. */
export function openChange(before: Version | null, after: Version | null): number {
  const open = [after, before].find((version) => version?.groups.length === 0);
  return open?.passages ?? 0;
}
