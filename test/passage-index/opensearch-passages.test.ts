import { expect, onTestFinished, test } from "vitest";
import { OpenSearchClient } from "../../src/adapters/passage-index/opensearch-client.ts";
import { OpenSearchPassages } from "../../src/adapters/passage-index/opensearch-passages.ts";
import { call } from "../support/calls.ts";
import { stubServer } from "../support/stub-server.ts";

interface Asked {
  readonly docs: readonly { readonly _index: string; readonly _id: string }[];
}

const INDEX = "ragline-c-1-0-2";

/** Answers as `answer` says for an id, and says which ids were asked for. */
async function answering(answer: (id: string) => object) {
  const asked: string[][] = [];
  const server = await stubServer(({ body }, response) => {
    const { docs } = body as unknown as Asked;
    asked.push(docs.map(({ _id }) => _id));
    response.end(JSON.stringify({ docs: docs.map(({ _id }) => ({ _index: INDEX, _id, ...answer(_id) })) }));
  });
  const client = new OpenSearchClient({ url: server.url });
  onTestFinished(async () => {
    await client.close();
    await server.close();
  });
  return { asked, passages: new OpenSearchPassages(client) };
}

const at = (...ids: readonly string[]) => ids.map((_id) => ({ _index: INDEX, _id }));

function stored(id: string): object {
  const passage = { title: "휴가", headings: [], text: `본문 ${id}`, tokens: 2, metadata: {} };
  return { found: true, _source: { generation: id.split(":")[1], document: "규정", ordinal: 3, passage } };
}

test("only passages that are not known are fetched, all of them at once, each once", async () => {
  const { asked, passages } = await answering(stored);
  const first = await passages.read(at("k:g1:0", "k:g1:1", "k:g1:0"), call());
  expect(first?.get("k:g1:0")).toMatchObject({
    passage: { id: "규정#3", documentId: "규정", text: "본문 k:g1:0" },
    generation: "g1",
    index: INDEX,
  });
  const second = await passages.read(at("k:g1:1", "k:g2:1"), call());
  expect(second?.size).toBe(2);
  expect(second?.get("k:g1:1")).toEqual(first?.get("k:g1:1"));
  await passages.read(at("k:g2:1"), call());
  expect(asked).toEqual([["k:g1:0", "k:g1:1"], ["k:g2:1"]]);
});

test("what is asked for is given, and nothing else that is known", async () => {
  const { passages } = await answering(stored);
  await passages.read(at("k:g1:0", "k:g1:1"), call());
  expect([...((await passages.read(at("k:g1:1"), call()))?.keys() ?? [])]).toEqual(["k:g1:1"]);
});

test("a record or an index that is gone is no passage and no failure: the search begins again", async () => {
  const gone = await answering(() => ({ found: false }));
  expect(await gone.passages.read(at("k:g1:0"), call())).toBeNull();
  const error = { type: "index_not_found_exception", reason: "no such index" };
  const without = await answering(() => ({ error }));
  expect(await without.passages.read(at("k:g1:0"), call())).toBeNull();
});

test("a record that cannot be read fails the search, which may be tried again", async () => {
  const error = { type: "no_shard_available_action_exception", reason: "No shard available" };
  const { passages } = await answering((id) => (id === "k:g1:1" ? { error } : stored(id)));
  await expect(passages.read(at("k:g1:0", "k:g1:1"), call())).rejects.toMatchObject({
    code: "dependency_failed",
    retryable: true,
  });
});
