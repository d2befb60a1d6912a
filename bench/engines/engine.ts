import type { PassageIndex } from "../../src/ports/passage-index.ts";
import type { Recorder } from "./bare.ts";

/** A search engine of the bench. */
export interface Engine {
  readonly name: string;
  /** Why it cannot be started here, or null. */
  readonly missing: string | null;
  /** Files whose change makes what was stored by them useless: below the root. */
  readonly writtenBy: readonly string[];
  /** Starts its server, with the data in this folder, which may be empty. */
  start(folder: string): Promise<RunningEngine>;
}

export interface RunningEngine {
  readonly index: PassageIndex;
  /** Documents of one tenant that are written at once. */
  readonly writers: number;
  /** The server's process, whose children count too; null: there is none but this one. */
  readonly pid: number | null;
  /** Where what Ragline sends to it can be kept and sent again: who does, and another index that speaks to this URL instead. */
  readonly bare?: { record(): Promise<Recorder>; open(url: string): Promise<PassageIndex> };
  /** After everything was written: what an engine does in its own time. */
  settle(): Promise<void>;
  /** Everything is in the folder afterwards. */
  close(): Promise<void>;
}
