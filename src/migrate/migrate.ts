import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { RaglineError } from "../errors.ts";
import type { FusionChoice } from "../fusion/weights.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { PassageIndex } from "../ports/passage-index.ts";
import type { Scope } from "../types.ts";
import { type CallLimits, Calls } from "./calls.ts";
import { CarriedVersions } from "./decide.ts";
import { type Pass, survey, walk } from "./pass.ts";
import { Side } from "./side.ts";
import { OVERLAP_MIN, type Verification, verify } from "./verify.ts";

/** A source that is written all the time is left after this, and after as many passes at least. */
const PATIENCE_MS = 30_000;
const PASSES_MIN = 3;
const BETWEEN_PASSES_MS = 200;
const FUSION_TIMEOUT_MS = 60_000;
/** What clocks of writers, and the time from a write's stamp to its commit, may differ by. */
const CLOCKS_MS = 10_000;
const NAMED_MAX = 5;

/** An index, and the embedder that questions to it are embedded with. */
export interface MigrationEnd {
  readonly index: PassageIndex;
  readonly embedder: Embedder;
}

export interface MigrateOptions extends CallLimits {
  readonly collection: Omit<Scope, "groups">;
  /** How answers are fused where the source serves. */
  readonly fusion: FusionChoice;
  readonly signal: AbortSignal;
  /** Asked of both in the end. */
  readonly questions: number;
  /**
   * What the target has beside the source's documents when the run begins: refused, kept, or deleted. With `since` nothing is
   * refused, and what was indexed after it is kept in any case.
   */
  readonly others: "refuse" | "keep" | "delete";
  /** Writers have switched to the target: what was indexed in the source until then, ISO 8601, an earlier run has carried over. */
  readonly since?: string | undefined;
  /** How long a source is followed that is written all the time. */
  readonly followMs?: number;
  onProgress?(progress: MigrationProgress): void;
}

export interface MigrationProgress {
  /** From 1; 0: looking at what there is. */
  readonly pass: number;
  /** Of the source, when the pass began. */
  readonly documents: number;
  readonly walked: number;
  readonly copied: number;
  readonly copiedPassages: number;
  readonly deleted: number;
  /** Of the questions at the end. */
  readonly asked: number;
}

export interface MigrationReport {
  readonly tenant: string;
  readonly collection: string;
  readonly embedder: string;
  readonly passes: number;
  /** In all passes. */
  readonly copied: number;
  readonly copiedPassages: number;
  readonly deleted: number;
  /** The last pass: what it met, and what it left as it is. */
  readonly last: Pass;
  /** False: the source was written all the time; what came since the last pass began may be missing. */
  readonly settled: boolean;
  /** Nothing was written to either side while they were counted and asked. */
  readonly quiet: boolean;
  /** What a later run is told with `since`, once writers have switched. */
  readonly since: string;
  readonly verification: Verification;
  /** What is wrong; none: the target holds and answers what the source does. */
  readonly problems: readonly string[];
  readonly copyingMs: number;
  readonly elapsedMs: number;
}

/**
 * Moves a collection to another index while both are served: walks through both lists, copies what differs with its vectors, and
 * again, until a walk changes nothing and the source has not changed since it began; then counts and asks both. Keeps nothing but
 * what the indexes hold: a run that was stopped is taken up by the next.
 * @throws RaglineError `conflict`: another vector space, the same index, or other documents in the target
 */
export async function migrate(from: MigrationEnd, to: MigrationEnd, options: MigrateOptions): Promise<MigrationReport> {
  const { collection, signal, since } = options;
  const startedAt = performance.now();
  const calls = new Calls(signal, options);
  const source = new Side("source", from.index, collection, calls);
  const target = new Side("target", to.index, collection, calls);
  const carried = new CarriedVersions(since);
  checkEmbedders(from.embedder, to.embedder);
  const total = await begin(source, target, carried, from.embedder, options);
  const passes = await copyAll(source, target, carried, total, options);
  const copyingMs = performance.now() - startedAt;
  const before = await versions(source, target);
  const verification = await verify(source, target, from.embedder, calls, {
    ...options,
    onProgress: (asked) => options.onProgress?.({ ...progressOf(passes.count, total, passes.last), asked }),
  });
  const after = await versions(source, target);
  const quiet = passes.settled && isDeepStrictEqual([passes.versions, after], [before, before]);
  const { count, last, settled, copied, copiedPassages, deleted } = passes;
  return {
    ...collection,
    ...{ embedder: from.embedder.model, passes: count, copied, copiedPassages, deleted, last, settled, quiet },
    ...{ since: passes.since, verification, problems: problemsOf(last, verification, quiet), copyingMs },
    elapsedMs: performance.now() - startedAt,
  };
}

/** Whether it may be done at all. Resolves to how many documents there are. */
async function begin(
  source: Side,
  target: Side,
  carried: CarriedVersions,
  { model }: Embedder,
  { others, since, onProgress }: MigrateOptions,
): Promise<number> {
  onProgress?.(progressOf(0, 0, null));
  await Promise.all([source.look(), target.look()]);
  const [ours, theirs] = [await source.status(), await target.status()];
  for (const [{ name }, { embedder }] of [
    [source, ours],
    [target, theirs],
  ] as const) {
    if (embedder === null || embedder === model) continue;
    const problem = `the ${name} was indexed with the embedder ${embedder}, the configured one is ${model}`;
    throw conflict(`${problem}: vectors are moved as they are`);
  }
  if (ours.documents === 0 && theirs.documents === 0) {
    const { tenant, collection } = source.scope;
    throw new RaglineError("not_found", `nothing is indexed in ${tenant}/${collection}`);
  }
  if (ours.documents === theirs.documents && (await source.version()) === (await target.version())) {
    throw conflict("source and target are the same index, or one is a copy of the other: there is nothing to move");
  }
  if (theirs.documents > 0 && others === "refuse" && since === undefined) {
    const { decided, named } = await survey(source, target, carried);
    if (decided.foreign > 0) throw foreignDocuments(decided.foreign, named.foreign ?? []);
  }
  return ours.documents;
}

interface Passes {
  readonly count: number;
  readonly last: Pass;
  readonly settled: boolean;
  /** Of both sides, when the last pass began. */
  readonly versions: readonly string[];
  readonly since: string;
  readonly copied: number;
  readonly copiedPassages: number;
  readonly deleted: number;
}

async function copyAll(
  source: Side,
  target: Side,
  carried: CarriedVersions,
  documents: number,
  { others, since, signal, followMs = PATIENCE_MS, onProgress }: MigrateOptions,
): Promise<Passes> {
  const total = { copied: 0, copiedPassages: 0, deleted: 0 };
  let patientUntil = Number.POSITIVE_INFINITY;
  for (let count = 1; ; count++) {
    const beganAt = new Date(Date.now() - CLOCKS_MS).toISOString();
    // A target in memory is not loaded before it is filled.
    const [before = "", theirs = ""] = count === 1 ? [await source.version()] : await versions(source, target);
    await Promise.all([source.look(), target.look()]);
    const last = await walk(source, target, {
      carried,
      isPruned: ({ indexedAt }) => others === "delete" && (since === undefined ? count === 1 : indexedAt <= since),
      shared: since !== undefined,
      onProgress: (pass) => onProgress?.(progressOf(count, documents, pass)),
    });
    total.copied += last.copied;
    total.copiedPassages += last.copiedPassages;
    total.deleted += last.deleted;
    const isChanged = (await copyFusion(source, target, since !== undefined)) || last.copied + last.deleted > 0;
    const isWritten = (await source.version()) !== before;
    if (count === 1) patientUntil = performance.now() + followMs;
    const settled = count > 1 && !isChanged && !isWritten;
    const isOver = count >= PASSES_MIN && performance.now() > patientUntil;
    if (settled || isOver) {
      const carriedUntil = settled ? (carried.latest ?? beganAt) : beganAt;
      return { count, last, settled, versions: [before, theirs], since: carriedUntil, ...total };
    }
    if (isWritten) await sleep(BETWEEN_PASSES_MS, undefined, { signal });
  }
}

/** Resolves to whether the target has another one now. */
async function copyFusion(source: Side, target: Side, isLeftAlone: boolean): Promise<boolean> {
  const [ours, theirs] = [source.index.fusion, target.index.fusion];
  if (!ours || !theirs) return false;
  const learned = await source.call(FUSION_TIMEOUT_MS, (call) => ours.load(source.scope, call));
  const known = await target.call(FUSION_TIMEOUT_MS, (call) => theirs.load(target.scope, call));
  if (!learned || isDeepStrictEqual(learned, known) || (known && isLeftAlone)) return false;
  if ((await target.status()).documents === 0) return false;
  await target.call(FUSION_TIMEOUT_MS, (call) => theirs.save(target.scope, learned, call));
  return true;
}

async function versions(source: Side, target: Side): Promise<string[]> {
  return [await source.version(), await target.version()];
}

function checkEmbedders(from: Embedder, to: Embedder): void {
  if (from.model === to.model && from.dimensions === to.dimensions) return;
  const names = `${from.model} (${from.dimensions} dimensions) and ${to.model} (${to.dimensions})`;
  throw conflict(`source and target are configured with different embedders, ${names}: vectors are moved as they are`);
}

function foreignDocuments(count: number, ids: readonly string[]): RaglineError {
  const named = ids.slice(0, NAMED_MAX).map((id) => JSON.stringify(id));
  const list = `${named.join(", ")}${count > NAMED_MAX ? ", …" : ""}`;
  return conflict(
    `the target has ${count} document${count === 1 ? "" : "s"} that the source lacks (${list}): --merge keeps them, --prune deletes them; ` +
      "after a run that was stopped they may be what was deleted in the source since",
  );
}

function conflict(message: string): RaglineError {
  return new RaglineError("conflict", message, { retryable: false });
}

/** What differs though nothing was written meanwhile, and what could not be copied. */
function problemsOf(last: Pass, { source, target, agreement }: Verification, quiet: boolean): string[] {
  const { newer, gone, foreign, altered } = last.decided;
  const problems: string[] = [];
  const failed = last.failures.length;
  if (failed > 0) problems.push(`${failed} documents could not be copied`);
  if (altered > 0) problems.push(`${altered} documents are given back otherwise by the target than they were copied`);
  if (!quiet || newer + gone + foreign > 0) return problems;
  const missing = failed > 0 ? "" : differenceOf(source, target);
  if (missing !== "") problems.push(missing);
  if (agreement.overlap < OVERLAP_MIN) {
    problems.push(`answers differ: mean overlap ${agreement.overlap.toFixed(3)}, at least ${OVERLAP_MIN} is wanted`);
  }
  return problems;
}

function differenceOf(source: Verification["source"], target: Verification["target"]): string {
  if (isDeepStrictEqual(source, target)) return "";
  const of = ({ documents, passages }: Verification["source"]) => `${documents} documents and ${passages} passages`;
  return `counts differ: the source has ${of(source)}, the target ${of(target)}`;
}

function progressOf(pass: number, documents: number, walked: Pass | null): MigrationProgress {
  const { source, copied = 0, copiedPassages = 0, deleted = 0 } = walked ?? {};
  return { pass, documents, walked: source?.documents ?? 0, copied, copiedPassages, deleted, asked: 0 };
}
