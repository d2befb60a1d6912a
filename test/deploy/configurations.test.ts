import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config.ts";
import { addressOf, DEPLOY, servicesOf } from "../support/compose.ts";

const STAGES = ["embed", "rerank", "generate", "search"] as const;
const usesOf = (file: string, environment = {}) => {
  const { session, embed, search, rerank, generate } = loadConfig(join(DEPLOY, file), environment);
  return [session, embed, search, rerank, generate].map(({ use }) => use);
};

describe("deploy/", () => {
  test("each phase moves its stages and nothing else", () => {
    expect(usesOf("phase-1.yaml")).toEqual(["sqlite", "static", "sqlite", "lexical", "extractive"]);
    expect(usesOf("phase-2.yaml")).toEqual(["sqlite", "static", "sqlite", "lexical", "grpc"]);
    expect(usesOf("phase-3.yaml")).toEqual(["redis", "grpc", "postgres", "grpc", "grpc"]);
    const [one, two] = ["phase-1.yaml", "phase-2.yaml"].map((file) => loadConfig(join(DEPLOY, file), {}));
    const changed = Object.entries(one ?? {}).filter(
      ([key, block]) => JSON.stringify(block) !== JSON.stringify((two as Record<string, unknown> | undefined)?.[key]),
    );
    expect(changed.map(([key]) => key)).toEqual(["generate"]);
  });

  test.each(STAGES)("stages/%s.yaml configures what phase 1 runs in process", (stage) => {
    const phase1 = loadConfig(join(DEPLOY, "phase-1.yaml"), {});
    const apart = loadConfig(join(DEPLOY, `stages/${stage}.yaml`), {});
    expect(apart[stage].use).toBe(phase1[stage].use);
    expect(apart.stage.host).toBe("0.0.0.0");
  });

  test.each([1, 2, 3])(
    "compose-phase-%i.yaml: configurations are in the image, every endpoint is a stage at its port",
    (phase) => {
      const files = [...readdirSync(DEPLOY), ...readdirSync(join(DEPLOY, "stages"))];
      const services = servicesOf(`compose-phase-${phase}.yaml`);
      for (const { image, command = [], environment = {} } of Object.values(services)) {
        if (!image.startsWith("ragline:")) continue;
        const [program, stage = ""] = command;
        const config = (command[command.indexOf("--config") + 1] ?? "").replace("/etc/ragline/", "");
        expect(files).toContain(config);
        if (program === "stage") expect(config).toBe(`${stage}.yaml`);
        const endpoints = Object.entries(environment).filter(([name]) => /_\d$/.test(name));
        for (const [, address] of endpoints) {
          const [host = "", port] = address.split(":");
          const step = services[host]?.command?.[1] ?? "";
          expect(STAGES).toContain(step);
          expect(String(loadConfig(join(DEPLOY, `stages/${step}.yaml`), {}).stage.port)).toBe(port);
        }
        if (program !== "serve") continue;
        const known = JSON.stringify(loadConfig(join(DEPLOY, config), environment));
        for (const value of Object.values(environment)) expect(known).toContain(value);
      }
    },
  );

  test("compose-phase-3.yaml: a gateway before 2 orchestrators, 2 of each stage, PostgreSQL, 3 Redis and 3 sentinels", () => {
    const services = servicesOf("compose-phase-3.yaml");
    expect(Object.keys(services)).toEqual(
      ["ask-1", "ask-2", "embed-1", "embed-2", "gateway", "generate-1", "generate-2", "postgres"].concat([
        "redis-1",
        "redis-2",
        "redis-3",
        "rerank-1",
        "rerank-2",
        "sentinel-1",
        "sentinel-2",
        "sentinel-3",
      ]),
    );
    for (const { volumes = [] } of Object.values(services)) {
      const mounted = volumes.map((volume) => volume.split(":")[0] ?? "").filter((path) => path.startsWith("./"));
      for (const path of mounted) expect(existsSync(join(DEPLOY, path)), path).toBe(true);
    }
    const { session } = loadConfig(join(DEPLOY, "phase-3.yaml"), services["ask-1"]?.environment ?? {});
    expect(session).toMatchObject({
      topology: "sentinel",
      replicasMin: 1,
      url: `redis://${[1, 2, 3].map((i) => `${addressOf(services, `sentinel-${i}`)}:26379`).join(",")}`,
    });
    const master = addressOf(services, "redis-1");
    const sentinel = readFileSync(join(DEPLOY, "redis/sentinel.conf"), "utf8");
    expect(sentinel).toContain(`sentinel monitor mymaster ${master} 6379 2`);
    for (const i of [2, 3]) {
      expect(services[`redis-${i}`]?.command?.at(-1)).toContain(`echo replicaof ${master} 6379`);
    }
  });

  test("compose-phase-3.yaml: the gateway's file gets the addresses of its network, and is otherwise the same", () => {
    const [, , script = ""] = servicesOf("compose-phase-3.yaml").gateway?.command ?? [];
    const [sed = ""] = script.split(" > ");
    const file = join(DEPLOY, "gateway/nginx.conf");
    const changed = execFileSync("sh", ["-c", sed.replace("/etc/ragline/nginx.conf", file)], { encoding: "utf8" });
    const before = readFileSync(file, "utf8").split("\n");
    const lines = changed.split("\n").filter((line, i) => line !== before[i]);
    expect(lines.map((line) => line.trim())).toEqual([
      "server ask-1:8787 max_fails=1 fail_timeout=5s;",
      "server ask-2:8787 max_fails=1 fail_timeout=5s;",
      "server ask-1:8787 backup max_fails=0;",
      "server ask-2:8787 backup max_fails=0;",
      "listen 8080;",
    ]);
  });
});
