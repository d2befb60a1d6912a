import { existsSync } from "node:fs";
import { type ComposedSearching, composeSearching, placeOf } from "../compose/searching.ts";
import { loadConfig } from "../config.ts";
import { RaglineError } from "../errors.ts";
import { type MigrateOptions, type MigrationReport, migrate } from "../migrate/migrate.ts";
import { createMigrationLine, printMigration } from "./migrate-output.ts";
import { stopSignal } from "./session.ts";

export interface MigrateCommandOptions {
  readonly from: string;
  readonly to: string;
  readonly tenant?: string;
  readonly collection?: readonly string[];
  readonly all?: true;
  readonly merge?: true;
  readonly prune?: true;
  readonly since?: string;
  readonly questions: number;
  readonly json?: true;
}

type Config = ReturnType<typeof loadConfig>;

/** `ragline migrate`: moves collections from the index of one configuration to that of another, while both are served. */
export async function migrateCommand(options: MigrateCommandOptions): Promise<void> {
  const [from, to] = [loadConfig(options.from), loadConfig(options.to)];
  checkConfigurations(from, to, options);
  const since = options.since === undefined ? undefined : timeOf(options.since);
  const stop = stopSignal();
  const opened: ComposedSearching[] = [];
  try {
    const source = await composeSearching(from);
    opened.push(source);
    const target = await composeSearching(to);
    opened.push(target);
    const tenant = options.tenant ?? from.tenant;
    const collections = await collectionsOf(source, tenant, from.collection, options, stop.signal);
    const reports: MigrationReport[] = [];
    for (const collection of collections) {
      const line = createMigrationLine(`${tenant}/${collection}`);
      try {
        const report = await migrate(source, target, {
          collection: { tenant, collection },
          fusion: source.fusion,
          signal: stop.signal,
          questions: options.questions,
          others: othersOf(options),
          since,
          onProgress: line.update,
          onTrouble: line.trouble,
        });
        line.end();
        if (!options.json) printMigration(report, options);
        reports.push(report);
      } finally {
        line.end();
      }
    }
    if (options.json) console.log(JSON.stringify({ from: from.search.use, to: to.search.use, collections: reports }));
    if (reports.some(({ problems }) => problems.length > 0)) process.exitCode = 1;
  } finally {
    stop.release();
    for (const one of opened.reverse()) await one.close();
  }
}

function othersOf({ merge, prune }: MigrateCommandOptions): MigrateOptions["others"] {
  return merge ? "keep" : prune ? "delete" : "refuse";
}

/** @throws RaglineError `config_invalid`: what can be told before anything is opened */
function checkConfigurations(from: Config, to: Config, options: MigrateCommandOptions): void {
  const invalid = (message: string) => new RaglineError("config_invalid", message);
  if (options.merge && options.prune) throw invalid("--merge keeps what --prune deletes: give one of them");
  if (options.all && options.collection) throw invalid("--all or --collection: give one of them");
  for (const [option, { search }] of [
    ["--from", from],
    ["--to", to],
  ] as const) {
    if (search.use !== "grpc") continue;
    throw invalid(`${option}: search.use: grpc is a stage that serves an index: give the configuration of that stage`);
  }
  if (placeOf(from.search) === placeOf(to.search))
    throw invalid("--from and --to have the same search: block: there is nothing to move");
  if (from.search.use === "sqlite" && !existsSync(from.search.file))
    throw invalid(`--from: search.file: no such file: ${from.search.file}`);
  for (const key of ["tenant", "collection"] as const) {
    if (options[key] !== undefined || options.all || from[key] === to[key]) continue;
    throw invalid(`${key}: ${from[key]} in --from, ${to[key]} in --to: say which with --${key}; it keeps its name`);
  }
}

async function collectionsOf(
  { index }: ComposedSearching,
  tenant: string,
  configured: string,
  { all, collection }: MigrateCommandOptions,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (!all) return collection ?? [configured];
  if (!index.transfer?.collections) {
    throw new RaglineError(
      "config_invalid",
      "--all: this index cannot name its collections: name them with --collection, once each",
    );
  }
  const found = await index.transfer.collections(tenant, { signal });
  if (found.length === 0) throw new RaglineError("not_found", `the tenant ${tenant} has no collections in --from`);
  return found;
}

function timeOf(text: string): string {
  const time = Date.parse(text);
  if (Number.isNaN(time))
    throw new RaglineError("config_invalid", `--since: ${text} is no time, such as 2026-01-31T09:30:00Z`);
  return new Date(time).toISOString();
}
