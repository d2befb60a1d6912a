import { toRaglineError } from "../errors.ts";
import { InFlight } from "../in-flight.ts";
import type { DocumentEntry } from "../types.ts";
import { type CarriedVersions, type Decision, decide } from "./decide.ts";
import { type Pair, paired } from "./merge.ts";
import type { Side } from "./side.ts";

/** Of documents that are copied at once: what is in memory. */
const PASSAGES_MAX = 1024;
/** Documents that could not be copied, named; more end the run. */
const FAILURES_MAX = 100;
/** Ids named of each kind. */
const NAMED_MAX = 20;

export interface Failure {
  readonly id: string;
  readonly message: string;
}

/** One walk through both sides, as it goes. */
export interface Pass {
  /** Documents and passages met on each side, before anything was done. */
  readonly source: Counts;
  readonly target: Counts;
  /** How many were decided so; `same` needs nothing. */
  readonly decided: Record<Decision, number>;
  /** Of each decision but `same` and `copy`, the first ids. */
  readonly named: Partial<Record<Decision, string[]>>;
  copied: number;
  copiedPassages: number;
  deleted: number;
  readonly failures: Failure[];
}

export interface Counts {
  documents: number;
  passages: number;
}

export interface PassOptions {
  readonly carried: CarriedVersions;
  /** Whether this goes, which is foreign. */
  readonly isPruned: (foreign: DocumentEntry) => boolean;
  /** Others write to the target already: it is looked at again just before it is written to. */
  readonly shared: boolean;
  onProgress?(pass: Pass): void;
}

/** Decides on every document without doing anything. */
export async function survey(source: Side, target: Side, carried: CarriedVersions): Promise<Pass> {
  const pass = newPass();
  for await (const pair of paired(source.entries(), target.entries())) note(pass, pair, decide(pair, carried));
  return pass;
}

/** Makes the target what the source is, document by document. @throws RaglineError of the first failure that no further document mends */
export async function walk(source: Side, target: Side, options: PassOptions): Promise<Pass> {
  const pass = newPass();
  const over = new AbortController();
  const step = { ...options, source: source.until(over.signal), target: target.until(over.signal), pass };
  const inFlight = new InFlight({ countMax: target.writesAtOnce, weightMax: PASSAGES_MAX });
  try {
    for await (const pair of paired(step.source.entries(), step.target.entries())) {
      const decision = decide(pair, options.carried);
      note(pass, pair, decision);
      if (decision === "same" && pair.source) options.carried.add(pair.source);
      if (decision === "copy") await inFlight.add(pair.source?.passages ?? 0, () => copy(step, pair.id));
      if (isRemoved(pair, decision, options)) await inFlight.add(0, () => remove(step, pair.id));
      options.onProgress?.(pass);
    }
  } catch (thrown) {
    over.abort();
    await inFlight.ended().catch(() => undefined);
    throw thrown;
  }
  await inFlight.ended();
  options.onProgress?.(pass);
  return pass;
}

interface Step extends PassOptions {
  readonly source: Side;
  readonly target: Side;
  readonly pass: Pass;
}

async function copy({ source, target, pass, carried, shared, onProgress }: Step, id: string): Promise<void> {
  const stored = await source.read(id);
  // It went meanwhile: the next pass sees it.
  if (!stored) return;
  if (shared) {
    const now = await target.find(id);
    if (decide({ id, source: stored.document, target: now }, carried) !== "copy") return;
  }
  try {
    await target.store(stored);
  } catch (thrown) {
    const { code, message, retryable } = toRaglineError(thrown);
    const isOfThisDocument = code === "request_invalid" || (code === "dependency_failed" && !retryable);
    if (!isOfThisDocument || pass.failures.length >= FAILURES_MAX) throw thrown;
    pass.failures.push({ id, message });
    return;
  }
  carried.add(stored.document);
  pass.copied++;
  pass.copiedPassages += stored.passages.length;
  onProgress?.(pass);
}

async function remove({ source, target, pass, ...options }: Step, id: string): Promise<void> {
  if (await source.find(id)) return;
  const now = await target.find(id);
  if (!now) return;
  const pair = { id, source: null, target: now };
  if (!isRemoved(pair, decide(pair, options.carried), options)) return;
  if (await target.delete(id)) pass.deleted++;
}

function isRemoved({ target }: Pair, decision: Decision, { isPruned }: PassOptions): boolean {
  return decision === "delete" || (decision === "foreign" && target !== null && isPruned(target));
}

function note(pass: Pass, { id, source, target }: Pair, decision: Decision): void {
  count(pass.source, source);
  count(pass.target, target);
  pass.decided[decision]++;
  if (decision === "same" || decision === "copy") return;
  pass.named[decision] ??= [];
  if (pass.named[decision].length < NAMED_MAX) pass.named[decision].push(id);
}

function count(counts: Counts, entry: DocumentEntry | null): void {
  if (!entry) return;
  counts.documents++;
  counts.passages += entry.passages;
}

function newPass(): Pass {
  return {
    source: { documents: 0, passages: 0 },
    target: { documents: 0, passages: 0 },
    decided: { same: 0, copy: 0, delete: 0, newer: 0, gone: 0, foreign: 0, altered: 0 },
    named: {},
    copied: 0,
    copiedPassages: 0,
    deleted: 0,
    failures: [],
  };
}
