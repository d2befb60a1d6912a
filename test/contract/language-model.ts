import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { GenerateDelta, LanguageModel } from "../../src/ports/language-model.ts";
import { call, collect } from "../support/calls.ts";
import { generateRequest } from "../support/requests.ts";

export interface OpenedLanguageModel {
  readonly model: LanguageModel;
  /**
   * False: a real model in process. Where two words are as likely, rounding decides between them, and that differs with what is computed
   * beside an answer or was kept of the one before: on some CPUs one request has two answers.
   */
  readonly isRepeatable?: false;
  close(): Promise<void>;
}

/** As many different answers to one request, alone and beside others, as rounding may make; deltas that got into another's are all different. */
const ROUNDED_MAX = 3;

export function textOf(deltas: readonly GenerateDelta[]): string {
  return deltas.map((delta) => (delta.type === "text" ? delta.text : "")).join("");
}

const ANSWERABLE = generateRequest("연차 휴가는 며칠인가요?", [
  "1년간 80퍼센트 이상 출근한 직원은 15일의 연차 휴가🏝️를 받습니다.",
  "주차장은 지하 2층에 있습니다.",
]);

/** The rules of `ports/language-model.ts` that need no failing upstream. The model must answer `ANSWERABLE`. */
export function languageModelContract(name: string, open: () => Promise<OpenedLanguageModel>): void {
  describe(`language model: ${name}`, () => {
    let opened: OpenedLanguageModel;
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened.close());

    test("names itself and its window", () => {
      expect(opened.model.model).toMatch(/\S/);
      expect(opened.model.contextTokensMax).toBeGreaterThan(0);
    });

    test("1: non-empty texts that split no character, and exactly one end, last", async () => {
      const deltas = await collect(opened.model.stream(ANSWERABLE, call()));
      expect(deltas.map(({ type }) => type).lastIndexOf("end")).toBe(deltas.length - 1);
      expect(deltas.filter(({ type }) => type === "end")).toHaveLength(1);
      expect(deltas.length).toBeGreaterThan(1);
      for (const delta of deltas) {
        if (delta.type !== "text") continue;
        expect(delta.text).not.toBe("");
        expect(delta.text.isWellFormed()).toBe(true);
        expect(delta.text).not.toContain("\ufffd");
      }
      if (opened.isRepeatable === false) return;
      expect(deltas.at(-1)).toMatchObject({ type: "end", finishReason: "stop" });
      expect(textOf(deltas)).toContain("15일");
    });

    test("a request without passages is answered too", async () => {
      const deltas = await collect(opened.model.stream(generateRequest("연차 휴가는 며칠인가요?", []), call()));
      expect(deltas.at(-1)?.type).toBe("end");
      expect(textOf(deltas)).not.toBe("");
    });

    test("streams at once do not mix", async () => {
      const whole = textOf(await collect(opened.model.stream(ANSWERABLE, call())));
      const all = await Promise.all(
        Array.from({ length: 8 }, async () => textOf(await collect(opened.model.stream(ANSWERABLE, call())))),
      );
      if (opened.isRepeatable === false) expect(new Set([whole, ...all]).size).toBeLessThanOrEqual(ROUNDED_MAX);
      else expect(all).toEqual(Array(8).fill(whole));
    });

    test("4: a reader may stop after the first delta", async () => {
      for await (const delta of opened.model.stream(ANSWERABLE, call())) {
        expect(delta.type).toBe("text");
        break;
      }
      const next = textOf(await collect(opened.model.stream(ANSWERABLE, call())));
      expect(next).toMatch(opened.isRepeatable === false ? /\S/ : /15일/);
    });

    test("4: an aborted signal ends the stream without an end", async () => {
      const controller = new AbortController();
      const deltas: GenerateDelta[] = [];
      const reading = (async () => {
        for await (const delta of opened.model.stream(generateRequest("연차 휴가", MANY), call(controller.signal))) {
          deltas.push(delta);
          controller.abort();
        }
      })();
      await expect(reading).rejects.toBeDefined();
      expect(deltas.map(({ type }) => type)).not.toContain("end");
    });
  });
}

const MANY = Array.from({ length: 4 }, (_, i) => `연차 휴가 ${i}일을 준다.`);
