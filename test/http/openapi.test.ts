import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ERRORS } from "../../src/errors.ts";
import { postJson } from "../support/http.ts";
import { addPages, type ServedRagline, serveRagline } from "../support/ragline.ts";

type Json = Readonly<Record<string, unknown>>;
interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly { name: string; in: string; required?: boolean; schema: Json }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: Json }> };
  readonly responses: Record<string, { readonly content?: Record<string, { readonly schema: Json }> }>;
}
interface OpenApi {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components?: Json;
}

let served: ServedRagline;
let document: OpenApi;
beforeAll(async () => {
  served = await serveRagline();
  await addPages(served.ragline);
  document = (await (await fetch(`${served.url}/openapi.json`)).json()) as OpenApi;
});
afterAll(() => served.close());

const operations = () =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
  );

test("every route is there, with a summary", () => {
  expect(document.openapi).toMatch(/^3\.[01]\.\d+$/);
  expect(document.info).toMatchObject({ title: "Ragline" });
  const found = operations().map(({ method, path }) => `${method.toUpperCase()} ${path}`);
  expect(found.toSorted()).toEqual(
    [
      "POST /v1/ask",
      "GET /v1/sessions",
      "DELETE /v1/sessions",
      "POST /v1/search",
      "GET /v1/documents",
      "POST /v1/documents",
      "PUT /v1/documents/{id}",
      "GET /v1/documents/{id}",
      "DELETE /v1/documents/{id}",
      "GET /v1/sessions/{id}",
      "GET /v1/sessions/{id}/turns",
      "DELETE /v1/sessions/{id}",
      "DELETE /v1/collections/{collection}",
      "GET /v1/status",
      "GET /healthz",
      "GET /readyz",
      "POST /v1/chat/completions",
      "GET /v1/models",
      "GET /v1/models/{id}",
    ].toSorted(),
  );
  for (const { path, operation } of operations()) expect(operation.summary, path).toMatch(/\.$/);
});

test("the parameters of a path are those that it names, and required", () => {
  for (const { path, method, operation } of operations()) {
    const named = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name);
    const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === "path");
    expect(
      declared.map(({ name }) => name),
      `${method} ${path}`,
    ).toEqual(named);
    for (const parameter of declared) expect(parameter.required).toBe(true);
  }
});

test("every schema is a valid JSON Schema and every reference leads somewhere", () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  for (const { path, method, operation } of operations()) {
    const contents = [
      operation.requestBody?.content,
      ...Object.values(operation.responses).map(({ content }) => content),
    ];
    for (const { schema } of contents.flatMap((content) => Object.values(content ?? {}))) {
      expect(() => ajv.compile({ ...schema, components: document.components }), `${method} ${path}`).not.toThrow();
    }
    for (const { schema } of operation.parameters ?? []) expect(() => ajv.compile(schema)).not.toThrow();
  }
});

test("every route of the API has a success and, where it can fail, the error shape", () => {
  for (const { path, method, operation } of operations()) {
    const statuses = Object.keys(operation.responses);
    expect(statuses, `${method} ${path}`).toContain("200");
    if (!path.startsWith("/v1/") || path.startsWith("/v1/models") || path.startsWith("/v1/chat")) continue;
    expect(statuses, `${method} ${path}`).toEqual(expect.arrayContaining(["4XX", "5XX"]));
    const schema = JSON.stringify(operation.responses["4XX"]);
    for (const code of Object.keys(ERRORS)) expect(schema).toContain(code);
  }
});

test("what the request schemas say is what the server does", async () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const schema = document.paths["/v1/ask"]?.post?.requestBody?.content["application/json"]?.schema ?? {};
  const validate = ajv.compile({ ...schema, components: document.components });
  for (const body of [
    { question: "휴가", top: 3, filter: { year: 2024 } },
    { question: "휴가", history: [] },
  ]) {
    expect(validate(body)).toBe(true);
    const response = await postJson(`${served.url}/v1/ask`, body);
    expect(response.status).toBe(200);
    await response.body?.cancel();
  }
  for (const body of [{}, { question: 1 }, { question: "a", top: 0 }, { question: "a", more: 1 }]) {
    expect(validate(body)).toBe(false);
    expect((await postJson(`${served.url}/v1/ask`, body)).status).toBe(400);
  }
});
