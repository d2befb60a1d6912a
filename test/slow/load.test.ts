import { readFile, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { planArrivals } from "../../src/load/arrivals.ts";
import type { Summary } from "../../src/load/summary.ts";
import type { Bottleneck } from "../../src/profile/bottleneck.ts";
import type { Profile } from "../../src/profile/profile.ts";
import { draw, seeded } from "../../src/random.ts";
import { quantile } from "../../src/statistics.ts";
import { finish, printed, ragline, start } from "../cli/run.ts";
import { folderForTest } from "../support/folder.ts";

const BASE = "cache: { use: none }\nrewrite: { use: none }\nserver: { port: 0 }\n";

/** A server process in a folder of its own; ends before `use` resolves. */
async function withServer<T>(
  config: string,
  use: (server: {
    readonly url: string;
    readonly pid: number;
    cli(...args: readonly string[]): Promise<string>;
    file(name: string): string;
  }) => Promise<T>,
): Promise<T> {
  const folder = folderForTest();
  await writeFile(folder.file("ragline.yaml"), BASE + config);
  await writeFile(folder.file("휴가.md"), "# 휴가 규정\n\n연차 휴가는 15일입니다.");
  await ragline(folder.path, "index", "휴가.md");
  const child = start(folder.path, ["serve"]);
  const url = /listening on (\S+);/.exec(await printed(child, /listening on \S+;/))?.[1] ?? "";
  const cli = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await ragline(folder.path, ...args);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    return stdout;
  };
  try {
    return await use({ url, pid: child.pid ?? 0, cli, file: folder.file });
  } finally {
    const ended = finish(child);
    child.kill("SIGTERM");
    await ended;
  }
}

/** Once more where the generator itself was held up, as it says: a machine that does other work is no fault of the server's. */
async function undisturbed(run: () => Promise<string>): Promise<Summary> {
  for (let tries = 1; ; tries++) {
    const summary = last<Summary>(await run());
    if ((summary.generator.lagMs?.max ?? 0) < 100 || tries === 3) return summary;
  }
}

const last = <T>(stdout: string) => JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as T;

describe("the load generator against queues whose truth is known", () => {
  test("D/D/1 below capacity: every answer takes the service time; past it the line grows as it must", async () => {
    await withServer(
      "rerank: { use: simulated, serviceMs: 100, itemMs: 0, slots: 1, timeoutMs: 60000 }\ngenerate: { use: simulated, firstTokenMs: 20, tokenMs: 0, tokens: 1 }\n",
      async ({ url, cli }) => {
        const run = (rate: number) =>
          undisturbed(() =>
            cli("load", "--url", url, "--arrivals", "constant", "--rate", String(rate), "--seconds", "4", "--json"),
          );
        const below = await run(8);
        expect(below.asked).toBe(31);
        // 120 ms of stages; 50 for the pipeline, HTTP and late timers on a busy machine.
        expect(below.ttftMs?.p50).toBeGreaterThanOrEqual(120);
        expect(below.ttftMs?.p50).toBeLessThan(170);
        const past = await run(16);
        expect(past.asked).toBe(63);
        const waits = (n: number) => 120 + n * (100 - 1000 / 16);
        // A closed loop would have slowed down with the server, and shown 120 ms throughout.
        expect(past.ttftMs?.p50).toBeGreaterThan(waits(30));
        expect(past.ttftMs?.p50).toBeLessThan(waits(32) + 150);
        expect(past.ttftMs?.max).toBeGreaterThan(waits(61));
        expect(past.ttftMs?.max).toBeLessThan(waits(63) + 300);
      },
    );
  });

  test("M/M/4 at 70%: percentiles are those of the same queue computed, and near Erlang's", async () => {
    const [slots, meanMs, rate, seconds] = [4, 100, 28, 40];
    const service = `{ distribution: exponential, mean: ${meanMs} }`;
    const config = `rerank: { use: none }\ngenerate: { use: simulated, firstTokenMs: ${service}, tokenMs: 0, tokens: 1, slots: ${slots}, seed: 1 }\n`;
    const args = ["--rate", String(rate), "--seconds", String(seconds), "--seed", "3", "--json"];
    // A server of its own for each try: its times are drawn from the start.
    const run = () => withServer(config, ({ url, cli }) => cli("load", "--url", url, ...args));
    const { ttftMs, asked, completed } = await undisturbed(run);
    const computed = computedQueue({ slots, meanMs, rate, seconds, seed: 3 });
    expect(asked).toBe(computed.length);
    expect(completed).toBe(asked);
    for (const [share, name] of [
      [0.5, "p50"],
      [0.9, "p90"],
      [0.95, "p95"],
      [0.99, "p99"],
    ] as const) {
      const truth = quantile(computed, share);
      const measured = ttftMs?.[name] ?? Number.NaN;
      // Never less than the queue itself; more by the pipeline's own time, and by late timers.
      expect(measured, name).toBeGreaterThan(truth * 0.97 - 3);
      expect(measured, name).toBeLessThan(truth * 1.15 + 25);
      // 1,100 draws of a queue that remembers are some 20% off its long run.
      expect(Math.abs(truth / erlangQuantile({ slots, meanMs, rate }, share) - 1), name).toBeLessThan(0.25);
    }
  });

  test("a server that stands still for a second is not spared: a fifth of the answers show it", async () => {
    await withServer(
      "rerank: { use: none }\ngenerate: { use: simulated, firstTokenMs: 5, tokenMs: 0, tokens: 1, slots: 1000 }\n",
      async ({ url, pid, cli, file }) => {
        const running = cli(
          "load",
          "--url",
          url,
          "--arrivals",
          "constant",
          "--rate",
          "50",
          "--seconds",
          "5",
          "--report",
          file("stall.html"),
          "--json",
        );
        await sleep(2000);
        process.kill(pid, "SIGSTOP");
        await sleep(1000);
        process.kill(pid, "SIGCONT");
        const { ttftMs, totalMs, asked, completed } = last<Summary>(await running);
        expect(asked).toBe(249);
        expect(completed).toBe(249);
        // Fifty requests were due meanwhile, and waited for 0 to 1,000 ms. One client in a closed loop would have seen one of 250.
        expect(ttftMs?.max).toBeGreaterThan(900);
        expect(ttftMs?.p99).toBeGreaterThan(800);
        expect(ttftMs?.p90).toBeGreaterThan(350);
        expect(ttftMs?.p50).toBeLessThan(350);
        expect(totalMs?.p95).toBeGreaterThan(600);
      },
    );
  });
});

describe("profile and bottleneck", () => {
  test("a lone slow slot is named, in words, from profile.json", async () => {
    await withServer(
      "embed: { use: simulated, serviceMs: 4, itemMs: 0, slots: 8 }\nrerank: { use: simulated, serviceMs: 100, itemMs: 0, slots: 1, timeoutMs: 30000 }\ngenerate: { use: simulated, firstTokenMs: 20, tokenMs: 2, tokens: 20, slots: 64 }\n",
      async ({ cli, file }) => {
        const profile = last<Profile>(
          await cli("profile", "--seconds", "10", "--output", file("profile.json"), "--json"),
        );
        expect(JSON.parse(await readFile(file("profile.json"), "utf8"))).toEqual(profile);
        const rerank = profile.stages.find(({ step }) => step === "rerank");
        expect(rerank?.callsPerSecondMax).toBeGreaterThan(8);
        expect(rerank?.callsPerSecondMax).toBeLessThan(10.6);
        const stdout = await cli("bottleneck", "--profile", file("profile.json"), "--json");
        expect(stdout).toMatch(/throughput is bound by: rerank\n {2}rerank answers (8|9|10)(\.\d)? a second at most/);
        const found = last<Bottleneck>(stdout);
        expect(found).toMatchObject({ throughput: { stage: "rerank" }, firstText: { stage: "rerank" } });
        expect(found.emulated).toEqual(["embed", "rerank", "generate"]);
      },
    );
  });
});

interface Queue {
  readonly slots: number;
  readonly meanMs: number;
  /** A second. */
  readonly rate: number;
}

/** Response times of the very arrivals and services that the run draws, ascending. */
function computedQueue({
  slots,
  meanMs,
  rate,
  seconds,
  seed,
}: Queue & { readonly seconds: number; readonly seed: number }) {
  const plan = planArrivals(["?"], { rate, seconds, process: "poisson", turns: 1, thinkMs: 0, seed });
  const random = seeded(1);
  const freeAt = Array<number>(slots).fill(0);
  const times = plan.sessions.map(([{ at }]) => {
    freeAt.sort((a, b) => a - b);
    const endsAt = Math.max(at, freeAt[0] ?? 0) + draw({ distribution: "exponential", mean: meanMs }, random);
    freeAt[0] = endsAt;
    return endsAt - at;
  });
  return times.sort((a, b) => a - b);
}

/** Response time of M/M/c by Erlang's C, by bisection. */
function erlangQuantile({ slots, meanMs, rate }: Queue, share: number): number {
  const offered = (rate * meanMs) / 1000;
  const term = (n: number) => Array.from({ length: n }, (_, k) => offered / (k + 1)).reduce((a, b) => a * b, 1);
  const busy = term(slots) / (1 - offered / slots);
  const waits = busy / (Array.from({ length: slots }, (_, n) => term(n)).reduce((a, b) => a + b, 0) + busy);
  const serve = 1 / meanMs;
  const drain = (slots - offered) * serve;
  const slower = (t: number) =>
    (1 - waits) * Math.exp(-serve * t) +
    (waits * (serve * Math.exp(-drain * t) - drain * Math.exp(-serve * t))) / (serve - drain);
  let [low, high] = [0, 100 * meanMs];
  while (high - low > 0.01) {
    const middle = (low + high) / 2;
    if (slower(middle) > 1 - share) low = middle;
    else high = middle;
  }
  return low;
}
