import { EventEmitter } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RaglineError } from "../../src/errors.ts";
import { Admission } from "../../src/http/admission.ts";
import { type ServedRagline, serveRagline } from "../support/ragline.ts";
import { type Sample, sampleOf, scrape } from "../support/scrape.ts";

describe("a process that is asked more than it can answer", () => {
  let served: ServedRagline;
  beforeAll(async () => {
    served = await serveRagline({ server: { admissionTimeoutMs: 1 }, cache: { use: "none" } });
    await served.ragline.addDocument({ id: "a", text: "병가는 1년에 60일까지 쓸 수 있습니다." });
  });
  afterAll(() => served.close());

  const post = (path: string, body: object) =>
    fetch(`${served.url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(body),
    });
  const overloaded = (samples: readonly Sample[]) =>
    sampleOf(samples, "ragline_errors_total", { code: "overloaded", step: "none" });
  const atOnce = (path: string, body: object) => Promise.all(Array.from({ length: 60 }, () => post(path, body)));

  test.each([
    ["/v1/ask", { question: "병가는 며칠인가요?" }],
    ["/v1/search", { query: "병가는 며칠인가요?" }],
    ["/v1/chat/completions", { messages: [{ role: "user", content: "병가는 며칠인가요?" }] }],
  ])("%s: some are answered, the others refused in the words of the route", async (path, body) => {
    const before = overloaded(await scrape(served.url));
    const responses = await atOnce(path, body);
    const refused = responses.filter(({ status }) => status === 503);
    const [first] = refused as [Response];
    expect(responses.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
    expect(first).toBeDefined();
    for (const response of responses) expect([200, 503]).toContain(response.status);
    expect(first.headers.get("retry-after")).toBe("1");
    const { error } = (await first.json()) as { error: Record<string, unknown> };
    expect(error).toMatchObject({ code: "overloaded" });
    const after = await scrape(served.url);
    expect(overloaded(after)).toBe(before + refused.length);
    expect(sampleOf(after, "ragline_waiting_requests")).toBe(0);
    expect(sampleOf(after, "ragline_admission_wait_seconds_count")).toBeGreaterThanOrEqual(refused.length);
    expect((await post(path, body)).status).toBe(200);
  });
});

interface Seen {
  readonly waitedMs: number;
  readonly error?: RaglineError | undefined;
}

/** A line whose requests take 2 ms each of the process. */
function slowProcess(waitMaxMs: number) {
  const server = new EventEmitter();
  /** As metrics are told. */
  const waits: number[] = [];
  const line = new Admission(server, waitMaxMs, { waiting: () => undefined, waited: (ms) => waits.push(ms) });
  const enter = (socket = { destroyed: false }) =>
    new Promise<Seen>((resolve) => {
      const came = performance.now();
      line.enter({ raw: { socket } } as never, {} as never, (error) => {
        const now = performance.now();
        while (!error && performance.now() < now + 2);
        resolve({ waitedMs: now - came, error: error as RaglineError | undefined });
      });
    });
  return { server, waits, enter, many: (count: number) => Array.from({ length: count }, () => enter()) };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("requests begin in their order, and who finds nobody begins at once", async () => {
  const { waits, enter, many } = slowProcess(10_000);
  const at = performance.now();
  void enter();
  expect(performance.now() - at).toBeGreaterThanOrEqual(2);
  await turn();
  const begun: number[] = [];
  const requests = many(40);
  for (const [n, one] of requests.entries()) void one.then(() => begun.push(n));
  const seen = (await Promise.all(requests)).map(({ waitedMs }) => waitedMs);
  expect(begun).toEqual(Array.from({ length: 40 }, (_, n) => n));
  expect(waits.length).toBeGreaterThan(30);
  for (const [i, ms] of waits.toReversed().entries()) expect(Math.abs(ms - (seen.at(-1 - i) ?? 0))).toBeLessThan(20);
});

test("who has left takes nobody's place, and who comes after the line begins at once", async () => {
  const { enter, many } = slowProcess(10_000);
  const first = many(4);
  const left = Array.from({ length: 50 }, () => enter({ destroyed: true }));
  const last = enter();
  let turns = 0;
  const isBegun = Promise.race([last.then(() => true), ...left.map((one) => one.then(() => false))]);
  void isBegun.then(() => {
    turns = -1;
  });
  while (turns >= 0 && turns < 10) {
    turns++;
    await turn();
  }
  expect(turns).toBe(-1);
  expect(await isBegun).toBe(true);
  await Promise.all(first);
  await turn();
  const at = performance.now();
  void enter();
  expect(performance.now() - at).toBeGreaterThanOrEqual(2);
});

test("connections are taken before their requests begin, but not for ever", async () => {
  const { server, enter } = slowProcess(10_000);
  server.emit("connection");
  let isBegun = false;
  const one = enter().then(() => {
    isBegun = true;
  });
  let turns = 0;
  for (; !isBegun && turns < 100; turns++) {
    server.emit("connection");
    await turn();
  }
  await one;
  expect(turns).toBeGreaterThan(10);
  expect(turns).toBeLessThan(30);
});

test("a burst waits up to the limit; where the line stands, a tenth of it", async () => {
  const waitMaxMs = 300;
  const { many } = slowProcess(waitMaxMs);
  const burst = await Promise.all(many(30));
  expect(burst.every(({ error }) => error === undefined)).toBe(true);

  // Four are begun a turn, eight come.
  const came: Promise<Seen>[] = [];
  let standing = 0;
  for (const since = performance.now(); performance.now() - since < 5 * waitMaxMs; await turn()) {
    if (performance.now() - since > 3 * waitMaxMs && standing === 0) standing = came.length;
    came.push(...many(8));
  }
  const later = (await Promise.all(came)).slice(standing);
  const begun = later.filter(({ error }) => error === undefined);
  expect(later.length - begun.length).toBeGreaterThan(later.length / 4);
  expect(begun.length).toBeGreaterThan(later.length / 4);
  expect(begun.map(({ waitedMs }) => waitedMs).toSorted((a, b) => a - b)[Math.floor(begun.length * 0.9)]).toBeLessThan(
    waitMaxMs / 3,
  );
});
