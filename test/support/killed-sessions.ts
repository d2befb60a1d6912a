import { spawn } from "node:child_process";
import { expect } from "vitest";
import type { SessionStore } from "../../src/ports/session-store.ts";
import { call, SCOPE } from "./calls.ts";

const CHILD = new URL("./session-child.ts", import.meta.url).pathname;
/** Children at once: their starts are what takes the time. */
const CHILDREN = 2;

export interface KilledStore {
  readonly store: SessionStore;
  /** Where a child finds it: a file, or a URL. */
  readonly place: string;
}

/**
 * Processes that ask and finish turns in one session of every store, each killed (SIGKILL) at a random moment. Everything that was
 * acknowledged must be there once: finished turns as turns, questions that had begun as turns or pending ones.
 * @returns how much was acknowledged in all, by store
 */
export async function killAtRandom(stores: Readonly<Record<string, KilledStore>>, rounds: number) {
  const total = new Map(Object.keys(stores).map((name) => [name, { begun: 0, finished: 0 }]));
  const places = JSON.stringify(Object.fromEntries(Object.entries(stores).map(([name, { place }]) => [name, place])));
  let round = 0;
  const killing = async () => {
    for (let mine = round++; mine < rounds; mine = round++) {
      const id = `killed-${mine}`;
      const lines = await killedChild(places, id, Math.random() * 60);
      for (const [name, counts] of total) {
        const told = (what: string) =>
          lines.filter((line) => line.startsWith(`${name} ${what} `)).map((line) => line.slice(name.length + 3));
        const [begun, finished] = [told("b"), told("f")];
        await check(stores[name]?.store, id, begun, finished);
        counts.begun += begun.length;
        counts.finished += finished.length;
      }
    }
  };
  await Promise.all(Array.from({ length: CHILDREN }, killing));
  return total;
}

async function check(store: SessionStore | undefined, id: string, begun: string[], finished: string[]): Promise<void> {
  if (!store) throw new Error("no store");
  const { turnCount, pending } = await store.load(SCOPE, id, 1, call());
  const numbers = Array.from({ length: turnCount }, (_, i) => i + 1);
  const turns = [];
  // As many as a store gives at once.
  for (let at = 0; at < turnCount; at += 500)
    turns.push(...(await store.turns(SCOPE, id, numbers.slice(at, at + 500), call())));
  const stored = turns.map(({ requestId }) => requestId);
  expect(stored).toHaveLength(turnCount);
  const all = [...stored, ...pending.map(({ requestId }) => requestId)];
  expect(finished.filter((one) => !stored.includes(one))).toEqual([]);
  expect(begun.filter((one) => !all.includes(one))).toEqual([]);
  expect(new Set(all).size).toBe(all.length);
  for (const { status, answer } of turns) expect({ status, answer }).toEqual({ status: "complete", answer: "답" });
}

/** What the child said that it was told, up to its end `afterMs` after its first line. */
function killedChild(places: string, id: string, afterMs: number): Promise<string[]> {
  const child = spawn(process.execPath, [CHILD, places, id], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => {
    if (text === "") setTimeout(() => child.kill("SIGKILL"), afterMs);
    text += part;
  });
  // What follows the last line break was cut by the kill.
  return new Promise((resolve) => child.once("close", () => resolve(text.split("\n").slice(0, -1))));
}
