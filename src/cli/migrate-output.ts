import { styleText } from "node:util";
import { BEST } from "../migrate/agreement.ts";
import type { MigrationProgress, MigrationReport } from "../migrate/migrate.ts";
import type { MigrateCommandOptions } from "./migrate.ts";
import { createLine } from "./progress.ts";

const TROUBLE_EVERY_MS = 3_000;
const NAMED_MAX = 5;

/** Shows how far it has come, and now and then what stands in its way. */
export function createMigrationLine(collection: string) {
  const { stderr } = process;
  const startedAt = performance.now();
  const line = createLine(stderr);
  let toldAt = Number.NEGATIVE_INFINITY;
  return {
    end: line.end,
    update(progress: MigrationProgress) {
      line.update(() => `migrating ${collection}: ${figures(progress, performance.now() - startedAt)}`);
    },
    trouble(message: string) {
      if (performance.now() - toldAt < TROUBLE_EVERY_MS) return;
      toldAt = performance.now();
      line.end();
      stderr.write(`${message} Trying again.\n`);
    },
  };
}

function figures(progress: MigrationProgress, elapsedMs: number): string {
  const { pass, documents, walked, copied, copiedPassages, deleted, asked } = progress;
  if (asked > 0) return `${asked} questions asked of both`;
  if (pass === 0) return "looking at both";
  const share = documents === 0 ? 100 : Math.min(100, Math.floor((walked * 100) / documents));
  const perSecond = Math.round((copiedPassages * 1000) / Math.max(1, elapsedMs));
  const parts = [`pass ${pass}`, `${share}% of ${number(documents)} documents`];
  if (copied > 0) parts.push(`${number(copied)} copied (${number(copiedPassages)} passages, ${number(perSecond)}/s)`);
  if (deleted > 0) parts.push(`${number(deleted)} deleted`);
  return parts.join(" · ");
}

/** What was done, whether it is right, and what comes next. */
export function printMigration(report: MigrationReport, options: MigrateCommandOptions): void {
  const { tenant, collection, copied, copiedPassages, deleted, passes, copyingMs, verification, last } = report;
  const perSecond = Math.round((copiedPassages * 1000) / Math.max(1, copyingMs));
  const gone = deleted > 0 ? `, ${number(deleted)} deleted` : "";
  console.log(
    `${tenant}/${collection}: ${number(copied)} documents copied (${number(copiedPassages)} passages, ${number(perSecond)}/s)${gone}, ` +
      `in ${passes} passes and ${(copyingMs / 1000).toFixed(1)} s`,
  );
  for (const side of ["source", "target"] as const) {
    const { documents, passages } = verification[side];
    console.log(`  ${side}: ${number(documents)} documents, ${number(passages)} passages`);
  }
  const { questions, tied, overlap, identical, worst } = verification.agreement;
  const least = worst && worst.overlap < 1 ? `, least ${worst.overlap.toFixed(2)}` : "";
  console.log(
    `  ${questions} sampled questions: mean overlap of the ${BEST} best ${overlap.toFixed(3)}${least}; the same in the same order for ${identical}`,
  );
  if (tied > 0) console.log(`  ${tied} more were not compared: hundreds of passages score as their best does`);
  const { newer, gone: deletedThere, foreign } = last.decided;
  left(newer, "are newer in the target, and kept", last.named.newer);
  left(deletedThere, "were deleted in the target after they were copied, and stay so", last.named.gone);
  left(foreign, "are in the target alone, and kept", last.named.foreign);
  if (!report.settled) console.log("  the source is being written: what came since the last pass began may be missing");
  else if (!report.quiet) console.log("  something was written while both were compared: not judged by it");
  for (const { id, message } of last.failures) console.error(styleText("red", `${JSON.stringify(id)}: ${message}`));
  for (const problem of report.problems) console.error(styleText("red", problem));
  if (options.since !== undefined || report.problems.length > 0) return;
  console.log(`  once the writers have switched to the target, run it again with --since ${report.since}`);
}

function left(count: number, what: string, ids: readonly string[] = []): void {
  if (count === 0) return;
  const named = ids.slice(0, NAMED_MAX).map((id) => JSON.stringify(id));
  console.log(`  ${number(count)} documents ${what}: ${named.join(", ")}${count > named.length ? ", …" : ""}`);
}

function number(value: number): string {
  return value.toLocaleString("en");
}
