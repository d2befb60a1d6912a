import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { until } from "../support/calls.ts";
import { postJson } from "../support/http.ts";
import { debianProgram, found } from "../support/installed.ts";
import { addPages, type ServedRagline, serveRagline } from "../support/ragline.ts";
import { samplesOf } from "../support/scrape.ts";
import { DIMENSIONS, embeddings } from "../support/stub-embeddings.ts";
import { streaming, stubModel, wholeStream } from "../support/stub-model.ts";
import { type StubServer, stubServer } from "../support/stub-server.ts";

const at = (path: string) => resolve(import.meta.dirname, "../..", path);
const ALERTS = at("deploy/prometheus/alerts.yaml");

interface Metric {
  readonly kind: string;
  readonly help: string;
  /** Of its samples. */
  readonly labels: Set<string>;
}

let served: ServedRagline;
let stubs: StubServer[];
/** What a server says that has answered, degraded, failed, waited and hedged. */
const metrics = new Map<string, Metric>();

beforeAll(async () => {
  const embedders = [await stubServer(embeddings), await stubServer(embeddings)];
  const model = await stubModel();
  stubs = [...embedders, model];
  served = await serveRagline({
    embed: {
      use: "openai",
      baseUrl: embedders.map(({ url }) => `${url}/v1`),
      model: "m",
      dimensions: DIMENSIONS,
      cacheMb: 1,
      concurrencyMax: 1,
    },
    rerank: { use: "tei", baseUrl: "http://127.0.0.1:9", retries: 0 },
    generate: { use: "openai", baseUrl: model.url, model: "m", retries: 0, concurrencyMax: 1 },
  } as never);
  await addPages(served.ragline);
  const ask = async (question: string) => (await postJson(`${served.url}/v1/ask`, { question })).text();
  model.answer(streaming(wholeStream(["열", "닷", "새"]), { gapMs: 5 }));
  await Promise.all(["연차 휴가는 며칠인가요?", "병가는 며칠인가요?", "How many days of severance pay?"].map(ask));
  model.answer((_request, response) => void response.writeHead(500).end());
  await ask("비밀번호는 몇 글자인가요?");
  await served.ragline.answer({ question: "비밀번호는 몇 글자인가요?" }, { name: "web" }).catch(() => undefined);
  await until("everything has been counted", async () => {
    const text = await (await fetch(`${served.url}/metrics`)).text();
    for (const [, name = "", help = ""] of text.matchAll(/^# HELP (\S+) (.*)$/gm)) {
      metrics.set(name, { kind: "", help, labels: new Set() });
    }
    for (const [, name = "", kind = ""] of text.matchAll(/^# TYPE (\S+) (.*)$/gm)) {
      const { help = "" } = metrics.get(name) ?? {};
      metrics.set(name, { kind, help, labels: new Set() });
    }
    for (const { name, labels } of samplesOf(text)) {
      for (const label of Object.keys(labels)) if (label !== "le") metrics.get(familyOf(name))?.labels.add(label);
    }
    return metrics.get("ragline_tokens_per_second") !== undefined && text.includes("ragline_errors_total{");
  });
});
afterAll(async () => {
  await served.close();
  await Promise.all(stubs.map((stub) => stub.close()));
});

function familyOf(name: string): string {
  const base = name.replace(/_(?:bucket|sum|count)$/, "");
  return metrics.get(base)?.kind === "histogram" ? base : name;
}

/** Labels that Prometheus itself adds. */
const ADDED = new Set(["instance", "job", "le"]);

/** What an expression asks for that no scrape has. */
function unknownIn(expression: string): string[] {
  const unknown: string[] = [];
  const used = [...expression.matchAll(/\b((?:ragline|process|nodejs)_\w+)(?:\{([^}]*)\})?/g)];
  const labels = new Set<string>(ADDED);
  for (const [, name = "", selector = ""] of used) {
    const metric = metrics.get(familyOf(name));
    if (!metric) unknown.push(name);
    for (const label of metric?.labels ?? []) labels.add(label);
    for (const [, label = ""] of selector.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)) {
      if (!metric?.labels.has(label) && !ADDED.has(label)) unknown.push(`${name}{${label}}`);
    }
  }
  for (const [, list = ""] of expression.matchAll(/\b(?:by|on|without)\s*\(([^)]*)\)/g)) {
    for (const label of list.split(",").map((one) => one.trim())) if (!labels.has(label)) unknown.push(`by (${label})`);
  }
  return used.length === 0 ? [`no metric in ${expression}`] : unknown;
}

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

describe("what is deployed beside the server asks for nothing that it does not have", () => {
  it("the dashboard's panels", () => {
    const { panels } = JSON.parse(readFileSync(at("deploy/grafana/ragline.json"), "utf8")) as { panels: Panel[] };
    const charts = panels.filter(({ type }) => type !== "row");
    for (const { title, targets = [] } of charts) {
      expect(targets.length, title).toBeGreaterThan(0);
      for (const { expr, legendFormat } of targets) {
        expect(unknownIn(expr), `${title}: ${expr}`).toEqual([]);
        for (const [, label = ""] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) expect(expr, title).toContain(label);
      }
    }
  });

  it("and the dashboard shows all that Ragline counts", () => {
    const dashboard = readFileSync(at("deploy/grafana/ragline.json"), "utf8");
    const asked = new Set([...dashboard.matchAll(/\bragline_\w+/g)].map(([name]) => familyOf(name)));
    const own = [...metrics.keys()].filter((name) => name.startsWith("ragline_"));
    expect(own.length).toBeGreaterThan(15);
    expect(own.filter((name) => !asked.has(name))).toEqual([]);
  });

  it("the alert rules", () => {
    const { groups } = parse(readFileSync(ALERTS, "utf8")) as {
      groups: { rules: { alert: string; expr: string; annotations: Record<string, string> }[] }[];
    };
    const rules = groups.flatMap((group) => group.rules);
    expect(rules.length).toBeGreaterThan(5);
    for (const { alert, expr, annotations } of rules) {
      expect(unknownIn(expr), alert).toEqual([]);
      for (const text of Object.values(annotations)) {
        for (const [name] of text.matchAll(/ragline_\w+/g)) expect(metrics.has(name), name).toBe(true);
        for (const [, label = ""] of text.matchAll(/\$labels\.(\w+)/g)) expect(expr, alert).toContain(label);
      }
    }
  });

  it("a name or label that is wrong would be found", () => {
    expect(unknownIn("rate(ragline_nothing_total[5m])")).toEqual(["ragline_nothing_total"]);
    expect(unknownIn('ragline_queue_depth{stage="embed"}')).toEqual(["ragline_queue_depth{stage}"]);
    expect(unknownIn("sum by (stage) (ragline_queue_depth)")).toEqual(["by (stage)"]);
  });

  it("docs/observability.md lists the metrics, their labels and meanings", () => {
    const page = readFileSync(at("docs/observability.md"), "utf8");
    const documented = [...page.matchAll(/^\| `(ragline_\w+)` \| (\w+) \| (.*?) ?\| (.+) \|$/gm)].map(
      ([, name, kind, labels = "", help]) => [
        name,
        kind,
        labels.replaceAll("`", "").split(", ").filter(Boolean).sort(),
        help,
      ],
    );
    const own = [...metrics].filter(([name]) => name.startsWith("ragline_"));
    expect(documented.toSorted()).toEqual(
      own.map(([name, { kind, labels, help }]) => [name, kind, [...labels].sort(), help]).toSorted(),
    );
  });
});

const { there: promtool, missing } = found("promtool", () => debianProgram("promtool", "prometheus"));
if (missing) console.warn(`the alert rules are not run: ${missing}`);

describe.skipIf(promtool === null)("the alert rules, by promtool", () => {
  it("are valid", () => {
    expect(execFileSync(promtool ?? "", ["check", "rules", ALERTS], { encoding: "utf8" })).toContain("SUCCESS");
  });

  it("fire where they should, and only there", () => {
    const tests = at("deploy/prometheus/alerts.test.yaml");
    expect(execFileSync(promtool ?? "", ["test", "rules", tests], { encoding: "utf8" })).toContain("SUCCESS");
  });
});
