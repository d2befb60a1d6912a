import { isReadable, replacementRefusal } from "../../replaceable.ts";
import type { Scope } from "../../types.ts";
import { type StoredRecord, toEntry } from "./milvus-records.ts";
import type { NewVersion } from "./milvus-rows.ts";
import type { QueuedWrite } from "./write-queue.ts";

export interface DocumentWrite {
  readonly scope: Scope;
  readonly documentId: string;
  /** Null: the document goes. */
  readonly version: NewVersion | null;
  /** See `ReplaceOptions`. */
  readonly readableOnly: boolean;
}

export type Write = QueuedWrite<DocumentWrite>;

/** What is there decides whether it is written. */
export function isConditional({ what: { version, readableOnly } }: Write): boolean {
  return readableOnly || version === null;
}

/** True: the write has its answer, and is not to be made. What was staged of it goes with a sweep. */
export function isRefused(write: Write, record: StoredRecord | undefined): boolean {
  const { scope, version, readableOnly } = write.what;
  if (!record) return false;
  const { groups } = toEntry(record);
  const refusal = version && readableOnly ? replacementRefusal(scope, { groups }, version.document) : null;
  const isHidden = !version && !isReadable({ groups }, scope);
  if (refusal) write.done.reject(refusal);
  if (isHidden) write.done.resolve(false);
  write.isLeft ||= refusal !== null || isHidden;
  return refusal !== null || isHidden;
}
