import { request } from "node:http";
import { createParser } from "eventsource-parser";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sleep, until } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { GATEWAYS, type Gateway, startGateway } from "../support/gateway.ts";
import { postJson } from "../support/http.ts";
import { PAGES } from "../support/ragline.ts";
import { freePort } from "../support/redis.ts";
import { type ServedProcess, serveProcess } from "../support/served-process.ts";
import { chunk, streaming, stubModel, wholeStream } from "../support/stub-model.ts";
import type { StubServer } from "../support/stub-server.ts";

/** Added to the time of the first event, median of pairs. */
const ADDED_MS_MAX = 20;
const PAIRS = 21;
const QUESTION = { question: "연차 휴가는 며칠인가요?" };
const hanging = streaming([chunk.role, chunk.text("연차는"), chunk.text(" 15일")], { afterwards: "hang" });

interface Instance {
  readonly served: ServedProcess;
  readonly port: number;
  readonly model: StubServer;
}

/** Two instances over one database, each with a model of its own, so that a test sees who answers. */
async function startInstance(file: string, port: number): Promise<Instance> {
  const model = await stubModel();
  const generate = { use: "openai", baseUrl: model.url, model: "m", retries: 0, silenceTimeoutMs: 60_000 };
  const stored = { file };
  const config = { generate, search: stored, session: stored, cache: { use: "none" }, embed: { use: "hashing" } };
  return { served: await serveProcess(config, port), port, model };
}

describe.each(GATEWAYS)("$name", (kind) => {
  describe.skipIf(kind.program.missing !== null)(kind.program.missing ?? "in front of two instances", () => {
    const folder = temporaryFolder();
    let instances: Instance[] = [];
    let gateway: Gateway;

    beforeAll(async () => {
      const file = folder.file("ragline.db");
      const ports = [await freePort(), await freePort()] as const;
      instances = [await startInstance(file, ports[0]), await startInstance(file, ports[1])];
      gateway = await startGateway(kind, ports);
      for (const page of PAGES) {
        expect((await postJson(`${gateway.url}/v1/documents`, page)).status).toBeLessThan(300);
      }
    });
    afterAll(async () => {
      await gateway.close();
      for (const { served, model } of instances) {
        await served.kill();
        await model.close();
      }
      folder.remove();
    });

    const answer = (handler: Parameters<StubServer["answer"]>[0]) => {
      for (const { model } of instances) model.answer(handler);
    };
    /** Who has been asked since `before`. */
    const asked = (before: readonly number[]) =>
      instances.findIndex(({ model }, i) => model.requests.length > (before[i] ?? 0));
    const counts = () => instances.map(({ model }) => model.requests.length);

    test("events leave as they come, the first within 20 ms of direct", async () => {
      answer(hanging);
      const added: number[] = [];
      for (let i = 0; i < PAIRS; i++) {
        const direct = await firstText(instances[i % 2]?.served.url ?? "");
        const through = await firstText(gateway.url);
        if (i > 0) added.push(through - direct);
      }
      const median = added.toSorted((a, b) => a - b)[Math.floor(added.length / 2)] ?? Number.POSITIVE_INFINITY;
      console.log(`${kind.name}: ${median.toFixed(1)} ms to the first text, median of ${added.length}`);
      expect(median).toBeLessThan(ADDED_MS_MAX);
    });

    test("what a client says of its tenant and groups is not passed on", async () => {
      const said = { "x-ragline-tenant": "acme", "X-Ragline-Groups": "hr", "x-ragline-user": "kim" };
      for (const [header, value] of Object.entries(said)) {
        const direct = await fetch(`${instances[0]?.served.url}/v1/documents`, { headers: { [header]: value } });
        expect(direct.status).toBe(403);
      }
      expect((await fetch(`${gateway.url}/v1/documents`, { headers: said })).status).toBe(200);
    });

    test("the server itself asks not to be buffered", async () => {
      answer(streaming(wholeStream(["15일입니다 [1]."])));
      const response = await postJson(`${instances[0]?.served.url}/v1/ask`, QUESTION);
      expect(response.headers.get("x-accel-buffering")).toBe("no");
      expect(await response.text()).toContain("answer-end");
    });

    test("requests are spread over both", async () => {
      answer(streaming(wholeStream(["15일입니다 [1]."]), { gapMs: 30 }));
      const before = counts();
      const askedAtOnce = async () => {
        const answers = Array.from({ length: 8 }, () => eventNames(gateway.url));
        for (const { names } of await Promise.all(answers)) expect(names.at(-1)).toBe("answer-end");
        return counts().every((count, i) => count > (before[i] ?? 0));
      };
      // One that answered its health check late, on a busy machine, is taken back.
      await until("both are asked", askedAtOnce, 10_000);
    });

    test("a client that leaves ends the call of the model", async () => {
      answer(hanging);
      const before = counts();
      const { left } = await leaving(gateway.url);
      const model = instances[asked(before)]?.model;
      await until("the model's socket closes", () => (model?.abandonedAt.at(-1) ?? 0) >= left, 10_000);
      expect((model?.abandonedAt.at(-1) ?? Number.POSITIVE_INFINITY) - left).toBeLessThan(1000);
    });

    test("an instance killed in mid-stream ends as a cut stream, and new requests succeed", async () => {
      answer(hanging);
      const before = counts();
      const cut = eventNames(gateway.url);
      await until("an instance answers", () => asked(before) >= 0);
      await sleep(200);
      const victim = instances[asked(before)];
      answer(streaming(wholeStream(["15일입니다 [1]."])));
      await victim?.served.kill();
      const { names, failure } = await cut;
      expect(names).toContain("text-delta");
      expect(names).not.toContain("answer-end");
      expect(names).not.toContain("answer-error");
      expect(failure).not.toBeNull();
      for (let i = 0; i < 20; i++) {
        const next = await eventNames(gateway.url);
        expect({ i, last: next.names.at(-1), failure: next.failure }).toEqual({
          i,
          last: "answer-end",
          failure: null,
        });
      }
    });

    test("an instance that is back is asked again", async () => {
      const port = instances.map(({ port }) => port);
      for (const [i, instance] of instances.entries()) {
        if ((await fetch(`${instance.served.url}/healthz`).catch(() => null))?.ok) continue;
        await instance.model.close();
        instances[i] = await startInstance(folder.file("ragline.db"), port[i] ?? 0);
      }
      answer(streaming(wholeStream(["15일입니다 [1]."])));
      const before = counts();
      await until(
        "both are asked",
        async () => {
          const answers = await Promise.all(Array.from({ length: 4 }, () => eventNames(gateway.url)));
          for (const { names } of answers) expect(names.at(-1)).toBe("answer-end");
          return counts().every((count, i) => count > (before[i] ?? 0));
        },
        20_000,
      );
    });

    test("of two instances that are restarted one right after the other, no request fails", async () => {
      answer(streaming(wholeStream(["15일입니다 [1]."])));
      const restart = async (i: number) => {
        const { served, model, port } = instances[i] as Instance;
        await served.kill();
        for (let n = 0; n < 4; n++) {
          const answers = await Promise.all(Array.from({ length: 8 }, () => eventNames(gateway.url)));
          expect(answers.map(({ names }) => names.at(-1))).toEqual(answers.map(() => "answer-end"));
        }
        await model.close();
        instances[i] = await startInstance(folder.file("ragline.db"), port);
        answer(streaming(wholeStream(["15일입니다 [1]."])));
      };
      for (const i of [0, 1, 0, 1]) await restart(i);
    });
  });
});

interface Stream {
  readonly names: readonly string[];
  /** What ended it before its end. */
  readonly failure: Error | null;
}

/** The names of an answer's events until it ends, one way or another. */
async function eventNames(url: string): Promise<Stream> {
  const names: string[] = [];
  const parser = createParser({ onEvent: ({ event = "" }) => names.push(event) });
  try {
    const response = await postJson(`${url}/v1/ask`, QUESTION, { accept: "text/event-stream" });
    const decoder = new TextDecoder();
    for await (const bytes of response.body ?? []) parser.feed(decoder.decode(bytes, { stream: true }));
    return { names, failure: null };
  } catch (thrown) {
    return { names, failure: thrown as Error };
  }
}

/** Milliseconds to the first text; the client leaves then. */
async function firstText(url: string): Promise<number> {
  const { began, left } = await leaving(url);
  return left - began;
}

/** A client that leaves at the first text. */
function leaving(url: string): Promise<{ readonly began: number; readonly left: number }> {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const headers = { "content-type": "application/json" };
    const sent = request(`${url}/v1/ask`, { method: "POST", headers, agent: false }, (response) => {
      let text = "";
      response.on("error", () => undefined);
      response.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
        if (!text.includes("text-delta")) return;
        resolve({ began, left: performance.now() });
        sent.destroy();
      });
    });
    sent.on("error", reject);
    sent.end(JSON.stringify(QUESTION));
  });
}
