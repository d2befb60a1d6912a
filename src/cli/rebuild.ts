import { styleText } from "node:util";
import { type RebuildableFile, rebuildableFiles } from "../compose/rebuild.ts";
import { loadConfig } from "../config.ts";
import { RaglineError, toRaglineError } from "../errors.ts";

const NAMED_MAX = 20;

/** `ragline index --rebuild`: says what was kept of each file and what was not; exit code 1 where something is lost. */
export function rebuildCommand(configFile: string | undefined): void {
  const failures: RaglineError[] = [];
  for (const file of rebuildableFiles(loadConfig(configFile))) {
    try {
      rebuildFile(file);
    } catch (thrown) {
      failures.push(toRaglineError(thrown));
    }
  }
  const [first] = failures;
  if (!first) return;
  throw new RaglineError(first.code, failures.map(({ message }) => message).join("\n"), { cause: first });
}

function rebuildFile({ path, holdsIndex, holdsSessions, rebuild }: RebuildableFile): void {
  const { documents, passages, sessions, incomplete, incompleteSessions, unreadable, kept } = rebuild();
  const found = [
    ...(holdsIndex || documents > 0 ? [`${documents} documents`, `${passages} passages`] : []),
    ...(holdsSessions || sessions > 0 ? [`${sessions} conversations`] : []),
  ];
  console.log(`${path}: rebuilt with ${found.length > 0 ? found.join(", ") : "no cached answers"}`);
  if (kept) console.log(`the file as it was is kept as ${kept}`);
  const losses: string[] = [];
  if (unreadable > 0) losses.push(`${unreadable} places of the file could not be read`);
  if (incomplete.length > 0) {
    const more = incomplete.length > NAMED_MAX ? ", …" : "";
    losses.push(
      `${incomplete.length} documents were there in part and are left out: ${incomplete.slice(0, NAMED_MAX).join(", ")}${more}`,
    );
  }
  if (incompleteSessions > 0) losses.push(`${incompleteSessions} conversations miss turns and are left out`);
  if (losses.length === 0) return;
  process.exitCode = 1;
  for (const loss of losses) console.error(styleText("red", loss));
  if (holdsIndex) console.error("index your sources again: what is whole is skipped");
}
