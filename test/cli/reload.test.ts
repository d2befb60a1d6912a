import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import type { ConfigInput } from "../../src/index.ts";
import { type Folder, folderForTest } from "../support/folder.ts";
import { eventsOf, expectError, postJson, textOf } from "../support/http.ts";
import { streaming, stubModel, wholeStream } from "../support/stub-model.ts";
import { printed, ragline, start } from "./run.ts";

type Callers = NonNullable<NonNullable<ConfigInput["server"]>["callers"]>;

const QUESTION = "연차휴가는 며칠인가요?";
const KEYS = {
  web: "web-0123456789abcdef",
  web2: "web2-0123456789abcde",
  hr: "hr-0123456789abcdefg",
  ops: "ops-0123456789abcdef",
  file: "file-0123456789abcde",
} as const;
const by = (key: string) => ({ authorization: `Bearer ${key}`, accept: "application/json" });

interface Line {
  readonly msg: string;
  readonly level: number;
  readonly [field: string]: unknown;
}

/** A folder with a document, for the group `hr` where `group`. */
async function indexed(...group: string[]): Promise<Folder> {
  const folder = folderForTest();
  writeFileSync(folder.file("휴가.md"), "# 휴가\n\n연차휴가는 1년에 15일입니다.\n");
  await ragline(folder.path, "index", "휴가.md", ...group);
  return folder;
}

/** `ragline serve` in that folder, told by real signals. */
async function serving(folder: Folder, config: object, env: Record<string, string> = {}) {
  const write = (text: string) => writeFileSync(folder.file("ragline.yaml"), text);
  write(JSON.stringify(config));
  const server = start(folder.path, ["serve", "--port", "0"], env);
  onTestFinished(() => void server.kill("SIGKILL"));
  let text = "";
  server.stderr?.setEncoding("utf8").on("data", (piece: string) => {
    text += piece;
  });
  const lines = (): Line[] => text.split("\n").flatMap((line) => (line.endsWith("}") ? [JSON.parse(line)] : []));
  const url = /listening on (\S+);/.exec(await printed(server, /listening on (\S+);/))?.[1] ?? "";
  return {
    url,
    log: () => text,
    status: async (key?: string, path = "/v1/documents") => {
      const response = await fetch(`${url}${path}`, key === undefined ? {} : { headers: by(key) });
      await response.text();
      return response.status;
    },
    /** Tells it to read this again. @returns the first line that it logs of it */
    async reload(next: object | string, message: RegExp): Promise<Line> {
      const before = lines().length;
      write(typeof next === "string" ? next : JSON.stringify(next));
      server.kill("SIGHUP");
      const found = () =>
        lines()
          .slice(before)
          .find(({ msg }) => message.test(msg));
      await expect.poll(found, { timeout: 10_000 }).toBeDefined();
      return found() as Line;
    },
  };
}

const withCallers = (callers: Callers, more: object = {}) => ({
  cache: { use: "none" },
  log: { content: true },
  ...more,
  server: { callers },
});
const TAKEN = /^server\.callers are taken over/;

test("SIGHUP takes callers over: keys, rights, limits; an answer under way ends as it would, nobody else notices, and the log says no key, old or new", {
  timeout: 60_000,
}, async () => {
  const model = await stubModel(
    streaming(wholeStream(Array.from({ length: 60 }, (_, i) => ` 낱말${i}`)), { gapMs: 50 }),
  );
  onTestFinished(() => model.close());
  const folder = await indexed();
  writeFileSync(folder.file("key"), `${KEYS.file}\n`);
  const generate = { generate: { use: "openai", baseUrl: model.url, model: "m", contextTokensMax: 8192 } };
  const ops: Callers[number] = { name: "ops", key: "${OPS_KEY}", may: ["ask", "observe"] };
  const mounted = { name: "mounted", key: "${file:key}" };
  const web = { name: "web", key: KEYS.web };
  const first = withCallers([web, { ...ops, may: ["ask"] }, mounted], generate);
  const served = await serving(folder, first, { OPS_KEY: KEYS.ops });
  const stream = await postJson(
    `${served.url}/v1/ask`,
    { question: QUESTION },
    { authorization: `Bearer ${KEYS.web}` },
  );
  expect([await served.status(KEYS.file), await served.status(KEYS.ops, "/metrics")]).toEqual([200, 403]);

  let isOver = false;
  const statuses: number[] = [];
  const others = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      statuses.push(await served.status(KEYS.ops));
      await sleep(5);
    }
  });
  const rotated = "rotated-0123456789ab";
  writeFileSync(folder.file("key"), rotated);
  const second = withCallers([{ name: "web-2", key: KEYS.web2, requestsMax: 1 }, ops, mounted], generate);
  expect(await served.reload(second, TAKEN)).toMatchObject({ level: 30, callers: 3, added: 2, removed: 2, changed: 1 });
  expect([await served.status(KEYS.web), await served.status(KEYS.web2)]).toEqual([401, 200]);
  expect([await served.status(KEYS.file), await served.status(rotated)]).toEqual([401, 200]);
  expect(await served.status(KEYS.ops, "/metrics")).toBe(200);
  const limited = await postJson(
    `${served.url}/v1/ask`,
    { question: QUESTION },
    { authorization: `Bearer ${KEYS.web2}` },
  );
  expect(await served.status(KEYS.web2)).toBe(429);
  await limited.body?.cancel();
  for (let i = 0; i < 5; i++) await served.reload(i % 2 ? second : first, TAKEN);
  expect(await served.reload(second, TAKEN)).toMatchObject({ added: 1, removed: 1, changed: 1 });
  expect(await served.reload(second, TAKEN)).toMatchObject({ added: 0, removed: 0, changed: 0 });

  const events = await eventsOf(stream);
  expect(events.at(-1)?.type).toBe("answer-end");
  expect(textOf(events)).toContain("낱말59");
  isOver = true;
  await Promise.all(others);
  expect(statuses.length).toBeGreaterThan(20);
  expect([...new Set(statuses)]).toEqual([200]);

  const asked = `${QUESTION} ${KEYS.web} ${KEYS.web2} ${KEYS.file} ${rotated}`;
  const leaving = await postJson(`${served.url}/v1/ask`, { question: asked }, { authorization: `Bearer ${rotated}` });
  await leaving.body?.cancel();
  await expect.poll(served.log).toContain(`${QUESTION} [redacted] [redacted] [redacted] [redacted]`);
  for (const key of [...Object.values(KEYS), rotated]) expect(served.log()).not.toContain(key);
});

test("a file that is wrong changes nothing and is told; what only a restart takes over is named, and the callers beside it are taken", {
  timeout: 60_000,
}, async () => {
  const first = withCallers([{ name: "web", key: KEYS.web }]);
  const served = await serving(await indexed(), first);
  const wrong = withCallers([
    { name: "web-2", key: KEYS.web2 },
    { name: "short", key: "short" },
  ]);
  expect(await served.reload(wrong, /^the configuration is wrong/)).toMatchObject({
    level: 50,
    problems: ["ragline.yaml: server.callers.1.key: must have at least 16 characters"],
  });
  expect(await served.reload("server: { callers: [", /^the configuration is wrong/)).toMatchObject({
    problems: [expect.stringMatching(/^ragline\.yaml: not readable as YAML/)],
  });
  const unset = withCallers([{ name: "web", key: "${UNSET_KEY}" }]);
  expect(await served.reload(unset, /^the configuration is wrong/)).toMatchObject({
    problems: [expect.stringContaining("the environment variable UNSET_KEY is not set")],
  });
  expect([await served.status(KEYS.web), await served.status(KEYS.web2)]).toEqual([200, 401]);

  const { server } = withCallers([{ name: "web-2", key: KEYS.web2 }]);
  const changed = { ...first, tenant: "other", search: { top: 7 }, server: { ...server, questionCharsMax: 10 } };
  expect(await served.reload(changed, /only a restart/)).toMatchObject({
    level: 40,
    fields: ["tenant", "search.top", "server.questionCharsMax"],
  });
  expect([await served.status(KEYS.web), await served.status(KEYS.web2)]).toEqual([401, 200]);
  const answer = await postJson(`${served.url}/v1/search`, { query: "연차휴가는 1년에 며칠인가요?" }, by(KEYS.web2));
  expect(answer.status).toBe(200);

  expect(await served.reload({ ...first, server: {} }, /lets everybody in/)).toMatchObject({ level: 40 });
  expect([await served.status(), await served.status(KEYS.web2)]).toEqual([401, 200]);
});

test("callers are taken over where there were none: keys are asked for, the schema says so, and readiness counts their groups", {
  timeout: 60_000,
}, async () => {
  const served = await serving(await indexed("--group", "hr"), {});
  expect([await served.status(), await served.status(undefined, "/readyz")]).toEqual([200, 503]);
  expect(await served.reload({}, /^there are no server\.callers/)).toMatchObject({ level: 30 });
  const callers: Callers = [{ name: "hr", key: KEYS.hr, groups: ["hr"], forOthers: true, tenant: "default" }];
  expect(await served.reload({ server: { callers } }, TAKEN)).toMatchObject({ callers: 1, added: 1, removed: 0 });
  await expectError(await fetch(`${served.url}/v1/documents`), "unauthorized");
  const { documents } = (await (await fetch(`${served.url}/v1/documents`, { headers: by(KEYS.hr) })).json()) as {
    documents: object[];
  };
  expect(documents).toHaveLength(1);
  expect(await served.status(undefined, "/readyz")).toBe(200);
  const schema = (await (await fetch(`${served.url}/openapi.json`)).json()) as Record<string, unknown>;
  expect(schema).toMatchObject({ security: [{ key: [] }] });
  expect(JSON.stringify(schema)).toContain("x-ragline-tenant");
});
