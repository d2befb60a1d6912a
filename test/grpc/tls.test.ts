import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { GrpcOptions } from "../../src/adapters/grpc/channel.ts";
import { createGrpcRerankers } from "../../src/adapters/reranker/grpc.ts";
import { createLexicalReranker } from "../../src/adapters/reranker/lexical.ts";
import { call } from "../support/calls.ts";
import { certificates } from "../support/certificates.ts";
import { temporaryFolder } from "../support/folder.ts";
import { clientOptions, type OpenedStage, only, serveOnLoopback } from "../support/stages-apart.ts";

let folder: ReturnType<typeof temporaryFolder>;
let files: ReturnType<typeof certificates>;
let stranger: { readonly key: string; readonly certificate: string };
let tls: OpenedStage;
let mutual: OpenedStage;

beforeAll(async () => {
  folder = temporaryFolder();
  files = certificates(folder);
  stranger = { key: folder.file("stranger.key"), certificate: folder.file("stranger.pem") };
  const self = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=stranger"];
  execFileSync("openssl", [...self, "-keyout", stranger.key, "-out", stranger.certificate], { stdio: "ignore" });
  const served = { stage: "rerank", port: createLexicalReranker() } as const;
  const own = { certificateFile: files.certificate, keyFile: files.key };
  tls = await serveOnLoopback(served, own);
  mutual = await serveOnLoopback(served, { ...own, clientCaFile: files.ca });
});
afterAll(async () => {
  await tls.close();
  await mutual.close();
  folder.remove();
});

async function rerank(at: OpenedStage, change: Partial<GrpcOptions>) {
  const reranker = only(await createGrpcRerankers(clientOptions("rerank", [at.address], change)));
  try {
    return await reranker.rerank("퇴직금", ["주차장", "퇴직금은 14일 안에 지급한다."], call());
  } finally {
    await reranker.close?.();
  }
}

const REFUSED = { code: "dependency_failed" };

describe("TLS", () => {
  test("the authority's certificate is trusted", async () => {
    expect((await rerank(tls, { caFile: files.ca }))[0]?.index).toBe(1);
  });

  test("one of another authority is not, and plain text is not spoken", async () => {
    await expect(rerank(tls, { tls: true })).rejects.toMatchObject(REFUSED);
    await expect(rerank(tls, { caFile: stranger.certificate })).rejects.toMatchObject(REFUSED);
    await expect(rerank(tls, {})).rejects.toMatchObject(REFUSED);
  });

  test("who says anything of TLS is never served in plain text", async () => {
    const plain = await serveOnLoopback({ stage: "rerank", port: createLexicalReranker() });
    const own = { certificateFile: files.certificate, keyFile: files.key };
    for (const options of [own, { serverName: "localhost" }, { caFile: files.ca }]) {
      await expect(rerank(plain, options)).rejects.toMatchObject(REFUSED);
    }
    await expect(rerank(plain, { certificateFile: files.certificate })).rejects.toMatchObject({
      code: "config_invalid",
      message: "rerank: certificateFile and keyFile belong together",
    });
    await plain.close();
  });

  test("the name in the certificate must be the one reached, or the one configured", async () => {
    expect(await rerank(tls, { caFile: files.ca, serverName: "localhost" })).toHaveLength(2);
    await expect(rerank(tls, { caFile: files.ca, serverName: "other.example" })).rejects.toMatchObject(REFUSED);
  });

  test("mutual: only who shows a certificate of the authority is served", async () => {
    const own = { caFile: files.ca, certificateFile: files.certificate, keyFile: files.key };
    expect((await rerank(mutual, own))[0]?.index).toBe(1);
    await expect(rerank(mutual, { caFile: files.ca })).rejects.toMatchObject(REFUSED);
    const other = { caFile: files.ca, certificateFile: stranger.certificate, keyFile: stranger.key };
    await expect(rerank(mutual, other)).rejects.toMatchObject(REFUSED);
  });

  test("a file that is missing stops the start, named", async () => {
    await expect(rerank(tls, { caFile: "/no/such.pem" })).rejects.toMatchObject({
      code: "config_invalid",
      message: "rerank.caFile: /no/such.pem cannot be read",
    });
    const served = serveOnLoopback(
      { stage: "rerank", port: createLexicalReranker() },
      { certificateFile: "/no/c.pem", keyFile: files.key },
    );
    await expect(served).rejects.toMatchObject({ message: "stage.certificateFile: /no/c.pem cannot be read" });
    const own = { certificateFile: files.certificate, keyFile: files.key };
    for (const wrong of [
      { ...own, keyFile: stranger.key },
      { ...own, certificateFile: files.key },
      { ...own, clientCaFile: files.key },
    ]) {
      const unusable = serveOnLoopback({ stage: "rerank", port: createLexicalReranker() }, wrong);
      await expect(unusable).rejects.toMatchObject({
        code: "config_invalid",
        message: expect.stringMatching(/^stage\.certificateFile, stage\.keyFile.*: cannot be used: /),
      });
    }
  });
});
