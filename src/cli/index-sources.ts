import { styleText } from "node:util";
import { RaglineError } from "../errors.ts";
import type { IngestReport, Ragline } from "../index.ts";
import { measureSources } from "../ingest/files.ts";
import { printableLine } from "./printable.ts";
import { createProgress } from "./progress.ts";
import { rebuildCommand } from "./rebuild.ts";
import { asTenant, groupsNamed, withRagline } from "./session.ts";

const ENDINGS_SHOWN = 5;

export interface IndexCommandOptions {
  readonly prune?: true;
  readonly tenant?: string;
  readonly group: readonly string[];
  readonly collection?: string;
  readonly rebuild?: true;
}

/** `ragline index`: exit code 1 where something could not be read. */
export async function indexCommand(
  configFile: string | undefined,
  paths: readonly string[],
  options: IndexCommandOptions,
): Promise<void> {
  const group = groupsNamed(options.group);
  if (options.rebuild) rebuildCommand(configFile);
  else if (paths.length === 0) {
    throw new RaglineError(
      "request_invalid",
      "index: name the files, folders or globs to index, e.g. `ragline index docs/`",
    );
  }
  if (paths.length === 0) return;
  await withRagline(
    configFile,
    async (ragline, signal) => {
      const report = await indexWithProgress(ragline, paths, signal, { ...options, group });
      if (report.failures.length > 0) process.exitCode = 1;
      await ragline.warm(options.collection, { signal, settle: true });
    },
    { warm: false, change: asTenant(options.tenant) },
  );
}

/** Indexes with a progress bar, then says what was done and what failed. */
export async function indexWithProgress(
  ragline: Ragline,
  paths: readonly string[],
  signal: AbortSignal,
  { group, ...options }: IndexCommandOptions = { group: [] },
): Promise<IngestReport> {
  const { bytes, unsupported } = await measureSources(paths, { signal });
  const progress = createProgress({ stream: process.stderr, bytesTotal: bytes });
  try {
    const report = await ragline.index(paths, {
      ...options,
      documentGroups: group,
      signal,
      onProgress: (now) => progress.update(now),
    });
    progress.end();
    printReport(report);
    warnOfUnsupported(unsupported);
    await warnOfCuts(ragline);
    return report;
  } finally {
    progress.end();
  }
}

/** They are no failures: a folder of documents holds pictures too. */
function warnOfUnsupported(unsupported: ReadonlyMap<string, number>): void {
  if (unsupported.size === 0) return;
  const sorted = [...unsupported].sort(([, a], [, b]) => b - a);
  const kinds = sorted.slice(0, ENDINGS_SHOWN).map(([ending, files]) => `${files} ${ending || "without an ending"}`);
  const others = sorted.slice(ENDINGS_SHOWN).reduce((sum, [, files]) => sum + files, 0);
  if (others > 0) kinds.push(`${others} of other kinds`);
  console.error(styleText("yellow", printableLine(`passed over, as their formats are not read: ${kinds.join(", ")}`)));
}

/** A passage's end that the model did not read can be found by its words alone. */
async function warnOfCuts(ragline: Ragline): Promise<void> {
  const { inputs = 0, cut = 0 } = (await ragline.status()).models.embed ?? {};
  if (cut === 0) return;
  const advice = "the model reads less of a passage than ingest.chunkTokens allows; lower it to have all embedded";
  console.error(styleText("yellow", `cut: ${cut} of ${inputs} texts before they were embedded: ${advice}`));
}

export function printReport(report: IngestReport): void {
  const { added, changed, unchanged, removed, passages, failures, notices, pruneSkipped, elapsedMs } = report;
  for (const { path, reason } of failures) console.error(styleText("red", printableLine(`failed: ${path}: ${reason}`)));
  for (const { path, reason } of notices) console.error(styleText("yellow", printableLine(`${path}: ${reason}`)));
  if (pruneSkipped) console.error(styleText("yellow", `nothing pruned: ${pruneSkipped}`));
  const documents = [
    `${added} added`,
    `${changed} changed`,
    `${unchanged} unchanged`,
    ...(removed > 0 ? [`${removed} removed`] : []),
    ...(failures.length > 0 ? [`${failures.length} failed`] : []),
  ];
  console.log(`documents: ${documents.join(", ")}; ${passages} passages written in ${(elapsedMs / 1000).toFixed(1)} s`);
}
