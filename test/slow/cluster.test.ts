import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RaglineError } from "../../src/errors.ts";
import { type AnswerEvent, type ConfigInput, createRagline, type Ragline } from "../../src/index.ts";
import { until } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { type OpenSearchCluster, openSearch, startOpenSearch } from "../support/opensearch.ts";

const ASKING = 16;
/** Without any answer. */
const GAP_MS_MAX = 1000;

describe.skipIf(openSearch.missing !== null)(openSearch.missing ?? "OpenSearch 3.5, three nodes", () => {
  let cluster: OpenSearchCluster | undefined;
  let ragline: Ragline | undefined;
  const folder = temporaryFolder();
  beforeAll(async () => {
    cluster = await startOpenSearch(3);
    const search = { use: "opensearch", url: cluster.url, replicas: 2, prefix: "cluster" } as const;
    const session = { use: "sqlite", file: folder.file("sessions.db") } as const;
    const config = {
      search,
      session,
      cache: { use: "none" },
      embed: { use: "hashing" },
      generate: { use: "extractive" },
    };
    ragline = await createRagline(config as ConfigInput, { log: pino({ level: "silent" }) });
  });
  afterAll(async () => {
    await ragline?.close();
    await cluster?.close();
    folder.remove();
  });

  test("the cluster manager killed with -9 under 16 questions at a time: no acknowledged document lost, no gap over 1 s", async () => {
    if (!cluster || !ragline) throw new Error("not started");
    const served = ragline;
    const acknowledged = new Set<string>();
    const failures: { readonly code: string }[] = [];
    const answeredAt: number[] = [];
    let isRunning = true;
    const add = async (id: string) => {
      await served.addDocument({ id, text: `# 휴가 ${id}\n\n${id} 직원은 15일의 연차 휴가를 받습니다.` }).then(
        () => acknowledged.add(id),
        (error: RaglineError) => failures.push(error),
      );
    };
    for (let i = 0; i < 50; i++) await add(`before-${i}`);
    expect(failures).toEqual([]);
    const asker = async (lane: number) => {
      for (let i = 0; isRunning; i++) {
        const asked = served.ask({
          question: `before-${i % 50} 직원의 연차 휴가는 며칠인가요?`,
          sessionId: `s-${lane}-${i}`,
        });
        const last = await lastOf(asked).catch((error: RaglineError) => error);
        if (last instanceof RaglineError) failures.push(last);
        else if (last?.type === "answer-error") failures.push(last.error);
        else answeredAt.push(performance.now());
      }
    };
    const writer = async () => {
      for (let i = 0; isRunning; i++) await add(`during-${i}`);
    };
    const running = [writer(), ...Array.from({ length: ASKING }, (_, lane) => asker(lane))];
    await sleep(5000);
    const victim = await managerOf(cluster);
    const killedAt = performance.now();
    await victim.kill();
    await sleep(12_000);
    isRunning = false;
    await Promise.all(running);

    const survivor = cluster.nodes.find((node) => node !== victim);
    await until("the cluster has two nodes again", async () => (await healthOf(survivor?.url ?? "")) !== "red", 60_000);
    const listed = new Set<string>();
    for (let after: string | undefined; ; ) {
      const page = await served.listDocuments({ limit: 1000, ...(after !== undefined && { after }) });
      for (const { id } of page.documents) listed.add(id);
      after = page.next;
      if (after === undefined) break;
    }
    const gaps = answeredAt.map((at, i) => at - (answeredAt[i - 1] ?? at));
    const longest = Math.max(...gaps);
    const afterKill = answeredAt.filter((at) => at > killedAt).length;
    console.log(
      `${acknowledged.size} documents acknowledged, ${answeredAt.length} answers (${afterKill} after the kill), ` +
        `longest gap ${longest.toFixed(0)} ms, failures: ${JSON.stringify(tally(failures.map(({ code }) => code)))}`,
    );
    expect([...acknowledged].filter((id) => !listed.has(id))).toEqual([]);
    expect(afterKill).toBeGreaterThan(100);
    expect(longest).toBeLessThanOrEqual(GAP_MS_MAX);
    for (const { code } of failures) expect(code).toMatch(/^dependency_(failed|timeout)$/);
  });
});

async function lastOf(events: AsyncIterable<AnswerEvent>): Promise<AnswerEvent | null> {
  let last: AnswerEvent | null = null;
  for await (const event of events) last = event;
  return last;
}

async function managerOf({ nodes }: OpenSearchCluster) {
  const response = await fetch(`${nodes[0]?.url}/_cat/cluster_manager?format=json`);
  const [manager] = (await response.json()) as { readonly node: string }[];
  const victim = nodes[Number(manager?.node.slice(1))];
  if (!victim) throw new Error("the cluster has no manager");
  return victim;
}

async function healthOf(url: string): Promise<string> {
  const response = await fetch(`${url}/_cluster/health`).catch(() => null);
  return response?.ok ? ((await response.json()) as { readonly status: string }).status : "red";
}

function tally(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}
