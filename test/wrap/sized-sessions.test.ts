import { expect, test } from "vitest";
import type { SessionChange, SessionStore } from "../../src/ports/session-store.ts";
import { SESSION_LIMITS, sizedSessions } from "../../src/wrap/sized-sessions.ts";
import { call, SCOPE } from "../support/calls.ts";
import { turn } from "../support/sessions.ts";
import { fakeStages } from "../support/stages.ts";

/** A store that counts what reaches it. */
function counted() {
  let calls = 0;
  const base = fakeStages().sessions;
  const seen =
    <A extends unknown[], R>(method: (...args: A) => R) =>
    (...args: A): R => {
      calls++;
      return method(...args);
    };
  const store: SessionStore = {
    ...base,
    begin: seen(base.begin),
    finish: seen(base.finish),
    replace: seen(base.replace),
  };
  return { store: sizedSessions(store), calls: () => calls };
}

const long = "가".repeat(SESSION_LIMITS.text);
const entity = { name: "이름", note: "말", turn: 1 };
const vector = (dimensions: number) => ({ number: 1, vector: new Float32Array(dimensions) });

test("texts at their limit pass, one character more is refused, naming field and limit, and nothing is stored", async () => {
  const { store, calls } = counted();
  const asked = { requestId: "r", question: long, tokens: 1 };
  await store.begin(SCOPE, "s", asked, 1, call());
  await store.finish(SCOPE, "s", turn({ answer: long }), call());
  expect(calls()).toBe(2);
  const refused = (field: string) => ({
    code: "request_invalid",
    message: expect.stringMatching(new RegExp(`^${field}: 10000001 characters, the limit is 10000000$`)),
  });
  await expect(store.begin(SCOPE, "s", { ...asked, question: `${long}!` }, 1, call())).rejects.toMatchObject(
    refused("question"),
  );
  for (const field of ["question", "query", "answer"] as const) {
    await expect(store.finish(SCOPE, "s", turn({ [field]: `${long}!` }), call())).rejects.toMatchObject(refused(field));
  }
  expect(calls()).toBe(2);
});

const cases: [string, (extra: number) => SessionChange][] = [
  ["summary", (extra) => ({ summary: "요".repeat(SESSION_LIMITS.summary + extra) })],
  ["entities", (extra) => ({ entities: Array.from({ length: SESSION_LIMITS.entities + extra }, () => entity) })],
  ["entities.name", (extra) => ({ entities: [{ ...entity, name: "n".repeat(SESSION_LIMITS.entityName + extra) }] })],
  ["entities.note", (extra) => ({ entities: [{ ...entity, note: "n".repeat(SESSION_LIMITS.entityNote + extra) }] })],
  [
    "short",
    (extra) => ({
      short: Array.from({ length: SESSION_LIMITS.shortTurns + extra }, () => ({
        number: 1,
        question: "",
        answer: "",
        tokens: 1,
      })),
    }),
  ],
  ["recall.vectors", (extra) => ({ recall: { model: "m", vectors: [vector(SESSION_LIMITS.dimensions + extra)] } })],
];

test.each(cases)("%s: at its limit it passes, beyond it is refused", async (field, change) => {
  const { store, calls } = counted();
  expect(await store.replace(SCOPE, "s", 1, change(0), call())).toBe(true);
  await expect(store.replace(SCOPE, "s", 1, change(1), call())).rejects.toMatchObject({
    code: "request_invalid",
    message: expect.stringContaining(`${field}: `),
  });
  expect(calls()).toBe(1);
});

test("numbers of turns asked for at once, and a count below 0", async () => {
  const { store } = counted();
  const numbers = Array.from({ length: SESSION_LIMITS.numbers + 1 }, (_, i) => i);
  await expect(store.turns(SCOPE, "s", numbers, call())).rejects.toMatchObject({
    message: expect.stringMatching(/numbers: 1001 .* 1000/),
  });
  await expect(store.replace(SCOPE, "s", 1, { summarizedTurns: -1 }, call())).rejects.toMatchObject({
    code: "request_invalid",
  });
});
