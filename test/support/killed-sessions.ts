import { spawn } from "node:child_process";
import { expect } from "vitest";
import type { SessionStore } from "../../src/ports/session-store.ts";
import { call, SCOPE } from "./calls.ts";

const CHILD = new URL("./session-child.ts", import.meta.url).pathname;

/**
 * Processes that ask and finish turns in one session, each killed (SIGKILL) at a random moment. Everything that was acknowledged must be
 * there once: finished turns as turns, questions that had begun as turns or pending ones.
 * @returns how much was acknowledged in all
 */
export async function killAtRandom(
  store: SessionStore,
  place: { readonly sqlite: string } | { readonly redis: string },
  rounds: number,
): Promise<{ begun: number; finished: number }> {
  const total = { begun: 0, finished: 0 };
  for (let round = 0; round < rounds; round++) {
    const id = `killed-${round}`;
    const lines = await killedChild(JSON.stringify(place), id, Math.random() * 60);
    const acknowledged = (what: string) => lines.filter((line) => line.startsWith(what)).map((line) => line.slice(2));
    const [begun, finished] = [acknowledged("b "), acknowledged("f ")];
    const { turnCount, pending } = await store.load(SCOPE, id, 1, call());
    const turns = await store.turns(
      SCOPE,
      id,
      Array.from({ length: turnCount }, (_, i) => i + 1),
      call(),
    );
    const stored = turns.map(({ requestId }) => requestId);
    expect(stored).toHaveLength(turnCount);
    expect(stored).toEqual(expect.arrayContaining(finished));
    const all = [...stored, ...pending.map(({ requestId }) => requestId)];
    expect(all).toEqual(expect.arrayContaining(begun));
    expect(new Set(all).size).toBe(all.length);
    for (const { status, answer } of turns) expect({ status, answer }).toEqual({ status: "complete", answer: "답" });
    total.begun += begun.length;
    total.finished += finished.length;
  }
  return total;
}

/** What the child said that it was told, up to its end `afterMs` after its first line. */
function killedChild(place: string, id: string, afterMs: number): Promise<string[]> {
  const child = spawn(process.execPath, [CHILD, place, id], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => {
    if (text === "") setTimeout(() => child.kill("SIGKILL"), afterMs);
    text += part;
  });
  // What follows the last line break was cut by the kill.
  return new Promise((resolve) => child.once("close", () => resolve(text.split("\n").slice(0, -1))));
}
