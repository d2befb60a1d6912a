import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { loadConfig } from "../../src/config.ts";

const DEPLOY = resolve(import.meta.dirname, "../../deploy");
const STAGES = ["embed", "rerank", "generate", "search"] as const;
const usesOf = (file: string, environment = {}) => {
  const { session, embed, search, rerank, generate } = loadConfig(join(DEPLOY, file), environment);
  return [session, embed, search, rerank, generate].map(({ use }) => use);
};

interface Compose {
  readonly services: Readonly<
    Record<string, { readonly command: readonly string[]; readonly environment?: Readonly<Record<string, string>> }>
  >;
}

describe("deploy/", () => {
  test("each phase moves its stages and nothing else", () => {
    expect(usesOf("phase-1.yaml")).toEqual(["sqlite", "static", "sqlite", "lexical", "extractive"]);
    expect(usesOf("phase-2.yaml")).toEqual(["sqlite", "static", "sqlite", "lexical", "grpc"]);
    expect(usesOf("phase-3.yaml")).toEqual(["redis", "grpc", "grpc", "grpc", "grpc"]);
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

  test("Compose: every process reads a file that is in the image, and every endpoint is a service at its port", () => {
    const files = [...readdirSync(DEPLOY), ...readdirSync(join(DEPLOY, "stages"))];
    for (const name of ["compose-phase-1.yaml", "compose-phase-2.yaml", "compose-phase-3.yaml"]) {
      const { services } = parse(readFileSync(join(DEPLOY, name), "utf8")) as Compose;
      for (const { command, environment = {} } of Object.values(services)) {
        const [program, stage = ""] = command;
        const config = command[command.indexOf("--config") + 1] ?? "";
        if (program !== "redis-server") expect(files).toContain(config.replace("/etc/ragline/", ""));
        if (program === "stage") expect(config).toBe(`/etc/ragline/${stage}.yaml`);
        const addresses = Object.values(environment).filter((value) => !value.startsWith("redis:"));
        for (const address of addresses) {
          const [host = "", port] = address.split(":");
          const step = services[host]?.command[1] ?? "";
          expect(STAGES).toContain(step);
          expect(String(loadConfig(join(DEPLOY, `stages/${step}.yaml`), {}).stage.port)).toBe(port);
        }
        if (program === "serve") {
          const known = Object.values(loadConfig(join(DEPLOY, config.replace("/etc/ragline/", "")), environment));
          for (const address of addresses) expect(JSON.stringify(known)).toContain(address);
        }
      }
    }
  });
});
