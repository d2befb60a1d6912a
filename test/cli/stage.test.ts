import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { createGrpcRerankers } from "../../src/adapters/reranker/grpc.ts";
import { call } from "../support/calls.ts";
import { folderForTest } from "../support/folder.ts";
import { clientOptions, only } from "../support/stages-apart.ts";
import { BIN, printed, ragline, start } from "./run.ts";

describe("ragline stage", () => {
  it("serves what the configuration says, and ends cleanly on SIGTERM", async () => {
    const folder = folderForTest();
    writeFileSync(folder.file("ragline.yaml"), "rerank: { use: lexical }\nstage: { port: 0 }\n");
    const child = start(folder.path, ["stage", "rerank"]);
    const said = await printed(child, /^serving$/m);
    const address = said.match(/listening on (\S+);/)?.[1] ?? "";
    const reranker = only(await createGrpcRerankers(clientOptions("rerank", [address])));
    const ranked = await reranker.rerank("퇴직금", ["주차장", "퇴직금은 14일 안에 지급한다."], call());
    expect(ranked[0]?.index).toBe(1);
    child.kill("SIGTERM");
    const [code] = await once(child, "close");
    expect(code).toBe(0);
    await reranker.close?.();
  });

  it("closes connections that would take the files that its work needs, and serves those that it has", {
    timeout: 30_000,
  }, async () => {
    const folder = folderForTest();
    writeFileSync(folder.file("ragline.yaml"), "rerank: { use: lexical }\nstage: { port: 0 }\n");
    const script = ["-c", 'ulimit -n 128; exec "$0" "$@"', process.execPath, BIN, "stage", "rerank"];
    const child = spawn("bash", script, { cwd: folder.path });
    onTestFinished(() => void child.kill("SIGKILL"));
    let log = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      log += text;
    });
    const address = /listening on (\S+);/.exec(await printed(child, /^serving$/m))?.[1] ?? "";
    const reranker = only(await createGrpcRerankers(clientOptions("rerank", [address])));
    onTestFinished(() => reranker.close?.());
    const ranks = async () =>
      (await reranker.rerank("퇴직금", ["주차장", "퇴직금은 14일 안에 지급한다."], call()))[0]?.index;
    expect(await ranks()).toBe(1);
    let closed = 0;
    for (let i = 0; i < 60; i++) {
      const socket = connect(Number(address.split(":")[1]), "127.0.0.1");
      onTestFinished(() => void socket.destroy());
      socket.on("error", () => undefined).once("close", () => closed++);
      await once(socket, "connect");
    }
    // A third of the 80 files that are not its own, one of them the reranker's.
    await expect.poll(() => closed).toBe(61 - 26);
    expect(log.match(/raise the limit of open files/g)).toHaveLength(1);
    expect(await ranks()).toBe(1);
  });

  it("says what it cannot serve", async () => {
    const folder = folderForTest();
    writeFileSync(folder.file("ragline.yaml"), "rerank: { use: none }\n");
    const none = await ragline(folder.path, "stage", "rerank", "--port", "0");
    expect(none).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("rerank.use: none leaves nothing to serve"),
    });
    const unknown = await ragline(folder.path, "stage", "session");
    expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining("session is none of embed, rerank") });
    writeFileSync(
      folder.file("ragline.yaml"),
      "embed: { use: grpc, endpoints: [nowhere] }\nstage: { keyFile: k.pem }\n",
    );
    const wrong = await ragline(folder.path, "stage", "embed");
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain("embed.endpoints.0: must be host:port");
    expect(wrong.stderr).toContain("stage: certificateFile and keyFile belong together");
  });

  it("says in one line that its port is taken", async () => {
    const folder = folderForTest();
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;
    const { code, stderr } = await ragline(folder.path, "stage", "embed", "--port", `${port}`);
    taken.close();
    expect(code).toBe(2);
    expect(stderr).toMatch(
      new RegExp(`^ragline: configuration: stage\\.port: 127\\.0\\.0\\.1:${port} is taken by another process; .*\\n$`),
    );
  });

  it("is named where its call fails", async () => {
    const folder = folderForTest();
    const other = start(folder.path, ["stage", "rerank", "--port", "0"]);
    const address = (await printed(other, /^serving$/m)).match(/listening on (\S+);/)?.[1] ?? "";
    writeFileSync(folder.file("leave.md"), "# 연차\n\n연차는 15일이다.\n");
    writeFileSync(folder.file("ragline.yaml"), `embed: { use: grpc, endpoints: ["${address}"] }\n`);
    const { code, stderr } = await ragline(folder.path, "index", "leave.md");
    expect(code).toBe(1);
    expect(stderr).toContain(`No endpoint of embed is serving. (${address}`);
    other.kill("SIGTERM");
    await once(other, "close");
  });

  it("is not taken for another vector space while it cannot be reached", async () => {
    const folder = folderForTest();
    writeFileSync(folder.file("leave.md"), "# 연차\n\n연차는 15일이다.\n");
    expect(await ragline(folder.path, "index", "leave.md")).toMatchObject({ code: 0 });
    writeFileSync(folder.file("ragline.yaml"), 'embed: { use: grpc, endpoints: ["127.0.0.1:9"] }\n');
    const { stdout } = await ragline(folder.path, "status");
    expect(stdout.match(/^degraded: .*$/gm)).toEqual([expect.stringMatching(/^degraded: embed: 127\.0\.0\.1:9: /)]);
  });
});
