import { expect, onTestFinished, test } from "vitest";
import { OpenSearchClient } from "../../src/adapters/passage-index/opensearch-client.ts";
import { namesOf } from "../../src/adapters/passage-index/opensearch-schema.ts";
import { CollectionStates } from "../../src/adapters/passage-index/opensearch-states.ts";
import { call, SCOPE } from "../support/calls.ts";
import { stubServer } from "../support/stub-server.ts";

const LAYOUT = { prefix: "ragline", shards: 1, replicas: 0 };
const SPACE = { model: "mine", dimensions: 8 };
const NAMES = namesOf(LAYOUT, SCOPE);

/** What a writer of the collection's second vector space asks for, whose alias names `named` by then. */
async function turned(named: string): Promise<unknown[]> {
  const actions: unknown[] = [];
  const state = { id: "1", ...SPACE, epoch: 1, version: 1, documents: 0, passages: 0, tokens: 0, hidden: [] };
  const server = await stubServer(({ path, body }, response) => {
    if (path === "/_aliases") actions.push(...(body.actions as unknown[]));
    if (path.includes("/_update/")) response.end(JSON.stringify({ get: { _source: state } }));
    else response.end(JSON.stringify(path.startsWith("/_alias/") ? { [named]: {} } : {}));
  });
  const client = new OpenSearchClient({ url: server.url });
  onTestFinished(async () => {
    await client.close();
    await server.close();
  });
  await new CollectionStates(client, LAYOUT).announce(SCOPE, SPACE, [], [], call());
  return actions;
}

test("a collection's alias turns from the index of the vector space before, which goes", async () => {
  const before = NAMES.index(0, { model: "earlier", dimensions: 8 });
  expect(await turned(before)).toEqual([
    { add: { index: NAMES.index(1, SPACE), alias: NAMES.read } },
    { remove_index: { index: before } },
  ]);
});

test("never from the index of a later one, whose documents are visible", async () => {
  expect(await turned(NAMES.index(2, { model: "later", dimensions: 8 }))).toEqual([]);
});
