import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { loadConfig } from "../../src/config.ts";
import { temporaryFolder } from "../support/folder.ts";
import { helm, kubernetesValidate } from "../support/helm.ts";

const CHART = resolve(import.meta.dirname, "../../deploy/helm/ragline");
const ENVIRONMENT = { RAGLINE_REDIS: "redis://redis:6379", RAGLINE_DATABASE: "postgres://ragline@db/ragline" };
/** By name, what an operator would set. */
const VALUES: Readonly<Record<string, object>> = {
  "as it is": {},
  "everything on": { ingress: { enabled: true, tlsSecretName: "tls" }, serve: { autoscaling: { enabled: true } } },
  "Sentinel, OpenSearch, reranking in the orchestrators": {
    secretName: "",
    stages: { rerank: { enabled: false }, embed: { replicas: 3 } },
    serve: {
      config: {
        session: { url: "redis://s-1:26379,s-2:26379", topology: "sentinel", replicasMin: 1 },
        search: { use: "opensearch", url: "http://opensearch:9200" },
        rerank: { use: "lexical" },
      },
    },
  },
};

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
}

describe.skipIf(helm.missing !== null)(helm.missing ?? "the Helm chart", () => {
  const folder = temporaryFolder();
  afterAll(() => folder.remove());
  const run = (...args: string[]) => execFileSync(helm.there ?? "", args, { encoding: "utf8", stdio: "pipe" });
  const rendered = (values: object) => {
    const file = folder.file("values.yaml");
    writeFileSync(file, JSON.stringify(values));
    return run("template", "r", CHART, "--kube-version", "1.33.0", "--values", file);
  };
  const manifests = (text: string) =>
    parseAllDocuments(text)
      .map((document) => document.toJS() as Manifest | null)
      .filter((one) => one !== null);

  test("passes helm lint", () => {
    expect(run("lint", "--strict", CHART)).toContain("0 chart(s) failed");
  });

  test.each(Object.keys(VALUES))("%s: every configuration is one that Ragline takes", (name) => {
    const configurations = manifests(rendered(VALUES[name] ?? {})).filter(({ kind }) => kind === "ConfigMap");
    expect(configurations.length).toBeGreaterThanOrEqual(3);
    for (const { metadata, data } of configurations) {
      const file = folder.file(`${metadata.name}.yaml`);
      writeFileSync(file, data?.["ragline.yaml"] ?? "");
      const config = loadConfig(file, ENVIRONMENT);
      if (metadata.name === "r-serve") expect(config.embed.use).toBe("grpc");
      else expect(config.stage.host).toBe("0.0.0.0");
    }
  });

  test("the orchestrators know every replica of a stage by name", () => {
    const text = rendered({ stages: { embed: { replicas: 3 } } });
    for (const i of [0, 1, 2]) expect(text).toContain(`- r-embed-${i}.r-embed:50051`);
    expect(text).not.toContain("r-embed-3");
  });

  test("an orchestrator is left alone by the Services first, and has the time that `ragline serve` may take to end", () => {
    const [serve = ""] = rendered({})
      .split(/^---$/m)
      .filter((text) => /kind: Deployment/.test(text));
    const [, grace] = /terminationGracePeriodSeconds: (\d+)/.exec(serve) ?? [];
    const [, sleep] = /preStop: \{ exec: \{ command: \[sleep, "(\d+)"\]/.exec(serve) ?? [];
    expect(Number(sleep)).toBe(5);
    // 10 s for answers, 1 to hear that it stops, 30 for what runs after answers, 1 for turns that wait.
    expect(Number(grace)).toBeGreaterThan(5 + 10 + 1 + 30 + 1);
  });

  test.skipIf(kubernetesValidate.missing !== null).each(Object.keys(VALUES))("%s: Kubernetes takes it", (name) => {
    const file = folder.file("rendered.yaml");
    writeFileSync(file, rendered(VALUES[name] ?? {}));
    const said = execFileSync(kubernetesValidate.there ?? "", ["--strict", file], { encoding: "utf8", stdio: "pipe" });
    expect(said).not.toContain("ERROR");
  });
});
