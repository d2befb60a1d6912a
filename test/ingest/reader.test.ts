import { readFileSync, writeFileSync } from "node:fs";
import { deflateRawSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import type { ReadRequest } from "../../src/ingest/read.ts";
import { createReader } from "../../src/ingest/reader.ts";
import { checkArchive } from "../../src/ingest/zip.ts";
import { cpuMs } from "../support/cpu.ts";
import { temporaryFolder } from "../support/folder.ts";

/** Pids of this process's children that run a script of this name. */
const childrenOf = (pid: number, script: string): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
    .split(" ")
    .filter((child) => child && readFileSync(`/proc/${child}/cmdline`, "utf8").includes(script))
    .map(Number);

const MB = 1_048_576;
const { signal } = new AbortController();
const request = (format: ReadRequest["format"], content: ReadRequest["content"]): ReadRequest => ({
  fields: { id: "d" },
  fallbackTitle: "d",
  format,
  content,
});

describe("a reader", () => {
  // What is slow here grows by some 200 MB a second: the deadline comes first, however fast the machine.
  const reader = createReader({ timeoutMs: 3_000, memoryBytesMax: 3_000 * MB });
  afterAll(() => reader.close());

  test("ends what takes too long, keeps the event loop free, and reads the next", async () => {
    let longest = 0;
    let last = performance.now();
    const ticks = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 5);
    const endless = reader.read(request("markdown", { text: "[".repeat(8_000_000) }), signal);
    await expect(endless).rejects.toThrow(/took more than 3 s/);
    clearInterval(ticks);
    expect(longest).toBeLessThan(500);
    const next = await reader.read(request("text", { text: "가나다 ".repeat(20_000) }), signal);
    expect(next.blocks).toHaveLength(1);
  });

  test.each([
    ["quotes", '"'.repeat(15_900)],
    ["brackets", "]".repeat(15_900)],
    ["the same key", "a:\n".repeat(5_300)],
    ["many keys", Array.from({ length: 1_500 }, (_, i) => `k${i}: 1\n`).join("")],
  ])("front matter of %s is not parsed here", async (_, yaml) => {
    await reader.read(request("text", { text: "가나다 ".repeat(20_000) }), signal);
    const text = `---\n${yaml}\n---\nhello\n`;
    const before = cpuMs();
    await expect(reader.read(request("markdown", { text }), signal)).rejects.toThrow(/front matter|metadata fields/);
    await expect(reader.read(request("markdown", { bytes: Buffer.from(text) }), signal)).rejects.toThrow();
    expect(cpuMs() - before).toBeLessThan(60);
  });

  test("ends what takes too much memory", async () => {
    const small = createReader({ timeoutMs: 20_000, memoryBytesMax: 128 * MB });
    const much = small.read(request("html", { text: "<p>a".repeat(6_000_000) }), signal);
    await expect(much).rejects.toThrow(/128 MB of memory/);
    small.close();
  });

  test("reads again, in a new process, what a process that had read others before did not survive", async () => {
    const again = createReader();
    const text = "가나다 ".repeat(20_000);
    await again.read(request("text", { text }), signal);
    const [used] = childrenOf(process.pid, "reader-process");
    const reading = again.read(request("markdown", { text: "[".repeat(100_000) + text }), signal);
    if (used !== undefined) process.kill(used, "SIGKILL");
    expect(JSON.stringify((await reading).blocks)).toContain("가나다");
    expect(childrenOf(process.pid, "reader-process")).not.toContain(used);
    expect(used).toBeGreaterThan(0);
    again.close();
  });

  test("what is held in memory waits so long for its turn, a file as long as it takes", async () => {
    const busy = createReader({ timeoutMs: 2_500, memoryBytesMax: 3_000 * MB, waitMs: 300 });
    const folder = temporaryFolder();
    const path = folder.file("a.txt");
    const text = "가나다 ".repeat(20_000);
    writeFileSync(path, text);
    const endless = [1, 2].map(() => busy.read(request("markdown", { text: "[".repeat(8_000_000) }), signal));
    const file = busy.read(request("text", { path, size: 200_000, bytesMax: MB }), signal);
    const held = busy.read(request("text", { text }), signal);
    await expect(held).rejects.toThrow(expect.objectContaining({ code: "overloaded", retryable: true }));
    for (const one of endless) await expect(one).rejects.toThrow(/took more than 2.5 s/);
    expect((await file).blocks).toHaveLength(1);
    expect((await busy.read(request("text", { text }), signal)).blocks).toHaveLength(1);
    busy.close();
    folder.remove();
  });

  test("whoever leaves while another's turn ends takes no turn away", async () => {
    const text = "가나다 ".repeat(20_000);
    for (let turns = 0; turns < 8; turns++) {
      const leaving = createReader();
      const first = new AbortController();
      const second = new AbortController();
      const left = [first, first, second, second].map(({ signal: own }) =>
        leaving.read(request("text", { text }), own),
      );
      const settled = Promise.allSettled(left);
      first.abort();
      for (let n = 0; n < turns; n++) await Promise.resolve();
      second.abort();
      await settled;
      const next = leaving.read(request("text", { text }), AbortSignal.timeout(5_000));
      await expect(next).resolves.toMatchObject({ id: "d" });
      leaving.close();
    }
  });

  test("stops when its caller leaves", async () => {
    const controller = new AbortController();
    const left = reader.read(request("markdown", { text: "[".repeat(8_000_000) }), controller.signal);
    setTimeout(() => controller.abort(), 100);
    await expect(left).rejects.toThrow(/abort/i);
  });

  test.each([
    ["docx", Buffer.from("PK"), /cut off or damaged/],
    ["docx", Buffer.from("d0cf11e0a1b11ae1", "hex"), /encrypted/],
    ["pdf", Buffer.from("%PDF-1.7\n"), /damaged/],
  ] as const)("refuses a broken %s by its reason", async (format, bytes, reason) => {
    await expect(reader.read(request(format, { bytes }), signal)).rejects.toThrow(reason);
  });
});

test("an archive that lies about its sizes is inflated no further than the limit", () => {
  const name = Buffer.from("word/document.xml");
  const data = deflateRawSync(Buffer.alloc(70_000_000));
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(name.length, 26);
  const entry = Buffer.alloc(46);
  entry.writeUInt32LE(0x02014b50, 0);
  entry.writeUInt16LE(8, 10);
  entry.writeUInt32LE(data.length, 20);
  entry.writeUInt32LE(100, 24);
  entry.writeUInt16LE(name.length, 28);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(local.length + name.length + data.length, 16);
  const archive = Buffer.concat([local, name, data, entry, name, end]);
  expect(() => checkArchive(archive)).toThrow(/unpacks to more than 64 MB/);
});
