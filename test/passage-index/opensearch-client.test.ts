import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { OpenSearchClient } from "../../src/adapters/passage-index/opensearch-client.ts";
import { call } from "../support/calls.ts";
import { certificates } from "../support/certificates.ts";
import { folderForTest } from "../support/folder.ts";
import { stubServer } from "../support/stub-server.ts";

const ROOT = { method: "GET", path: "/" } as const;

test("credentials and the authority of the certificate come from the configuration", async () => {
  const { ca, key, certificate } = certificates(folderForTest());
  const seen: (string | undefined)[] = [];
  const server = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (request, response) => {
    seen.push(request.headers.authorization);
    response.setHeader("content-type", "application/json").end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const trusting = new OpenSearchClient({ url, username: "ragline", password: "비밀:p@ss", caFile: ca });
  const stranger = new OpenSearchClient({ url });
  expect(await trusting.request(ROOT, call())).toEqual({});
  expect(seen).toEqual([`Basic ${Buffer.from("ragline:비밀:p@ss").toString("base64")}`]);
  await expect(stranger.request(ROOT, call())).rejects.toMatchObject({ code: "dependency_failed" });
  expect(seen).toHaveLength(1);
  await trusting.close();
  await stranger.close();
  await new Promise((resolve) => server.close(resolve));
});

test("an authority's file that cannot be read stops the start, naming the field", () => {
  const open = () => new OpenSearchClient({ url: "https://localhost:9200", caFile: "/nowhere/ca.pem" });
  const plain = () => new OpenSearchClient({ url: "https://a:9200,http://b:9200", caFile: "/nowhere/ca.pem" });
  for (const opening of [open, plain]) {
    expect(opening).toThrow(
      expect.objectContaining({ code: "config_invalid", message: expect.stringContaining("search.caFile") }),
    );
  }
});

test("a node that is not there costs no request: the others answer", async () => {
  const live = await stubServer((_request, response) => void response.end("{}"));
  const client = new OpenSearchClient({ url: `http://127.0.0.1:9, ${live.url}` });
  for (let i = 0; i < 6; i++) expect(await client.request(ROOT, call())).toEqual({});
  expect(live.requests).toHaveLength(6);
  await client.close();
  await live.close();
});

test("where no node is there, the failure says that it is OpenSearch", async () => {
  const client = new OpenSearchClient({ url: "http://127.0.0.1:9" });
  const message = "OpenSearch could not be reached.";
  await expect(client.request(ROOT, call())).rejects.toMatchObject({ code: "dependency_failed", message });
  await client.close();
});

test("a failure holds nothing of what was sent", async () => {
  const server = await stubServer((_request, response) => {
    response.statusCode = 400;
    response.end(JSON.stringify({ error: { type: "parsing_exception", reason: "unknown field" }, status: 400 }));
  });
  const client = new OpenSearchClient({ url: server.url, username: "u", password: "geheim" });
  const body = { text: "급여 명세" };
  const failure = await client.request({ method: "POST", path: "/x", body }, call()).catch((error: Error) => error);
  expect(failure).toMatchObject({ code: "dependency_failed", retryable: false });
  const { cause } = failure as Error;
  expect(`${failure} ${JSON.stringify(failure)} ${cause} ${JSON.stringify(cause)}`).not.toMatch(/급여|geheim/);
  await client.close();
  await server.close();
});
