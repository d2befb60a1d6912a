import { readFileSync } from "node:fs";
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import { MilvusPassageIndex } from "../../src/adapters/passage-index/milvus.ts";
import { MilvusConnection } from "../../src/adapters/passage-index/milvus-client.ts";
import { checkedResponse, failureOf, isNotLoaded } from "../../src/adapters/passage-index/milvus-failures.ts";
import { document, passage } from "../contract/passages.ts";
import { call, scope } from "../support/calls.ts";
import { certificates } from "../support/certificates.ts";
import { folderForTest } from "../support/folder.ts";

type Answer = (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => void;

/** `string version = 2` after an empty status; see milvus.proto. */
const versionBytes = (version: string) =>
  Buffer.concat([Buffer.from([0x0a, 0x00, 0x12, version.length]), Buffer.from(version)]);
const raw = (value: Buffer) => value;
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.forceShutdown();
});

/** A server that speaks the protocol as far as it is told to; what else is called is unimplemented. */
async function stub(answers: Readonly<Record<string, Answer>>, credentials = ServerCredentials.createInsecure()) {
  const server = new Server();
  const calls: string[] = [];
  const methods = Object.keys(answers).map((name) => {
    const path = `/milvus.proto.milvus.MilvusService/${name}`;
    const codec = { requestSerialize: raw, requestDeserialize: raw, responseSerialize: raw, responseDeserialize: raw };
    return [name, { path, requestStream: false, responseStream: false, ...codec }] as const;
  });
  const handlers = Object.entries(answers).map(([name, answer]): [string, Answer] => [
    name,
    (request, done) => {
      calls.push(name);
      answer(request, done);
    },
  ]);
  server.addService(Object.fromEntries(methods), Object.fromEntries(handlers));
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  servers.push(server);
  return { port, calls };
}

const version = (connection: MilvusConnection, options = call()) =>
  connection.request(
    "GetVersion",
    (client) => client.getVersion() as Promise<{ readonly status: object; readonly version?: string }>,
    options,
  );
const answering: Answer = (_, done) => done(null, versionBytes("v2.3.5"));

describe("Milvus's client", () => {
  test("credentials and the authority of the certificate come from the configuration", async () => {
    const { ca, key, certificate } = certificates(folderForTest());
    const seen: unknown[] = [];
    const secure = ServerCredentials.createSsl(null, [
      { private_key: readFileSync(key), cert_chain: readFileSync(certificate) },
    ]);
    const answer: Answer = (request, done) => {
      seen.push(...request.metadata.get("authorization"));
      answering(request, done);
    };
    const { port } = await stub({ GetVersion: answer }, secure);
    const url = `https://127.0.0.1:${port}`;
    const trusting = await MilvusConnection.open({ url, username: "ragline", password: "비밀:p@ss", caFile: ca });
    expect(await version(trusting)).toMatchObject({ version: "v2.3.5" });
    expect(seen).toEqual([Buffer.from("ragline:비밀:p@ss").toString("base64")]);
    const keyed = await MilvusConnection.open({ url, token: "key", caFile: ca });
    await version(keyed);
    expect(seen).toHaveLength(2);
    const stranger = await MilvusConnection.open({ url });
    const late = { ...call(), deadline: performance.now() + 3000 };
    await expect(version(stranger, late)).rejects.toMatchObject({ code: /^dependency_(failed|timeout)$/ });
    expect(seen).toHaveLength(2);
    await Promise.all([trusting.close(), keyed.close(), stranger.close()]);
  });

  test("an authority's file that cannot be read stops the start, naming the field", async () => {
    await expect(MilvusConnection.open({ url: "https://localhost:1", caFile: "/nowhere.pem" })).rejects.toMatchObject({
      code: "config_invalid",
      message: expect.stringContaining("search.caFile"),
    });
    await expect(MilvusConnection.open({ url: "http://localhost:1", caFile: "ca.pem" })).rejects.toMatchObject({
      code: "config_invalid",
      message: expect.stringMatching(/search\.caFile.*https:/),
    });
  });

  test("nothing is retried behind its back, and refused credentials are no matter of time", async () => {
    const refuse: Answer = (_, done) => done({ code: status.UNAUTHENTICATED, details: "auth check failure" });
    const { port, calls } = await stub({ GetVersion: refuse });
    const connection = await MilvusConnection.open({ url: `http://127.0.0.1:${port}` });
    await expect(version(connection)).rejects.toMatchObject({
      code: "dependency_failed",
      retryable: false,
      message: expect.stringContaining("search.username"),
    });
    expect(calls).toEqual(["GetVersion"]);
    await connection.close();
  });

  test("a call that the server does not know is no success", async () => {
    const { port } = await stub({ DropCollection: answering });
    const connection = await MilvusConnection.open({ url: `http://127.0.0.1:${port}` });
    await expect(version(connection)).rejects.toMatchObject({ code: "dependency_failed", retryable: false });
    await connection.close();
  });

  test("who leaves is let go at once, and so is who is late; the late answer is nobody's", async () => {
    const held: (() => void)[] = [];
    const hold: Answer = (request, done) => void held.push(() => answering(request, done));
    const { port } = await stub({ GetVersion: hold });
    const connection = await MilvusConnection.open({ url: `http://127.0.0.1:${port}` });
    const leaving = new AbortController();
    const left = version(connection, call(leaving.signal));
    setTimeout(() => leaving.abort(), 50);
    await expect(left).rejects.toMatchObject({ code: "cancelled" });
    const late = version(connection, { ...call(), deadline: performance.now() + 100 });
    await expect(late).rejects.toMatchObject({ code: "dependency_timeout" });
    await expect(version(connection, { ...call(), deadline: 0 })).rejects.toMatchObject({ code: "dependency_timeout" });
    for (const answer of held) answer();
    await connection.close();
  });

  test("a server that is too old is told so, and sent no schema", async () => {
    const { port, calls } = await stub({
      GetVersion: (_, done) => done(null, versionBytes("v2.2.16")),
      // A status: CollectionNotExists, code 100.
      DescribeCollection: (_, done) => done(null, Buffer.from([0x0a, 0x04, 0x08, 0x04, 0x18, 0x64])),
    });
    const options = { url: `http://127.0.0.1:${port}`, prefix: "p", shards: 1, consistency: "session" } as const;
    const index = await MilvusPassageIndex.open(options, { model: "m", dimensions: 8 });
    await expect(index.replace(scope(), document("a"), [passage("글", 0)], call())).rejects.toMatchObject({
      code: "dependency_failed",
      retryable: false,
      message: expect.stringMatching(/v2\.2\.16.*2\.3/),
    });
    expect(calls).not.toContain("CreateCollection");
    await index.close();
  });
});

function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (thrown) {
    return thrown;
  }
  return null;
}

describe("failures come in three shapes", () => {
  test("a returned status", () => {
    const refused = { status: { code: 101, error_code: "UnexpectedError", reason: "collection not loaded[id=1]" } };
    expect(() => checkedResponse("Query", refused)).toThrow(
      expect.objectContaining({ code: "dependency_failed", retryable: true }),
    );
    const limit = { error_code: "UnexpectedError", code: 65_535, reason: "topk [20000] is invalid" };
    expect(() => checkedResponse("Search", limit)).toThrow(expect.objectContaining({ retryable: false }));
    expect(checkedResponse("Query", { status: { code: 0, error_code: "Success" }, data: [] })).toMatchObject({
      data: [],
    });
    expect(() => checkedResponse("CreateUser", {})).toThrow(expect.objectContaining({ retryable: false }));
  });

  test("a server whose channels are not back yet is not loaded", () => {
    const reason = "failed to query: channel lacks[channel=channel not subscribed]: channel not available";
    const status = { code: 503, error_code: "UnexpectedError", reason };
    expect(isNotLoaded(thrownBy(() => checkedResponse("Query", { status })))).toBe(true);
    expect(isNotLoaded(thrownBy(() => checkedResponse("Query", { status: { ...status, code: 502 } })))).toBe(false);
  });

  test("a thrown plain object, and a TypeError", () => {
    const thrown = failureOf("Insert", { error_code: "CollectionNotExists", reason: "not found", code: 101 });
    expect(isNotLoaded(thrown)).toBe(true);
    const failure = failureOf("Search", new TypeError("Cannot read properties of null (reading 'scores')"));
    expect(failure).toMatchObject({ code: "dependency_failed", message: "Milvus's client failed." });
  });
});
