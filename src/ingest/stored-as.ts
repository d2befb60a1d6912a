import { resolve, sep } from "node:path";
import type { PassageIndex } from "../ports/passage-index.ts";
import type { CallOptions, DocumentEntry, Scope } from "../types.ts";

/**
 * The document that holds this file under another id, as where a folder was indexed first and one of its files by itself then. Ids of
 * files end their paths, so that each end is looked for. Null: there is none.
 */
export async function storedAs(
  index: PassageIndex,
  scope: Scope,
  file: { readonly path: string; readonly id: string },
  call: CallOptions,
): Promise<DocumentEntry | null> {
  const source = resolve(file.path);
  const parts = source.split(sep).join("/").normalize("NFC").split("/");
  const ids = parts.map((_, from) => parts.slice(from).join("/")).slice(1);
  if (!ids.includes(file.id)) return null;
  const found = await Promise.all(ids.filter((id) => id !== file.id).map((id) => index.find(scope, id, call)));
  return found.find((stored) => stored?.source === source) ?? null;
}
