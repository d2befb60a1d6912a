import { writeFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { createLlamaLanguageModel } from "../../src/adapters/language-model/llama.ts";
import { createRagline } from "../../src/index.ts";
import { temporaryFolder } from "../support/folder.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const SETTINGS = { contextTokensMax: 2048, sequences: 1, threads: 1, temperature: 0, waitingMax: 0 };

function written(name: string, content: Uint8Array): string {
  const file = folder.file(name);
  writeFileSync(file, content);
  return file;
}

/** A GGUF header of version 3 with string and number entries and no tensors. */
function gguf(entries: Readonly<Record<string, string | number>>): Uint8Array {
  const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
  const u64 = (value: number) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
  const string = (text: string) => Buffer.concat([u64(Buffer.byteLength(text)), Buffer.from(text)]);
  const parts = [Buffer.from("GGUF"), u32(3), u64(0), u64(Object.keys(entries).length)];
  for (const [key, value] of Object.entries(entries)) {
    parts.push(
      string(key),
      typeof value === "string" ? Buffer.concat([u32(8), string(value)]) : u32(4),
      Buffer.alloc(0),
    );
    if (typeof value === "number") parts.push(u32(value));
  }
  return Buffer.concat(parts);
}

describe("a model that cannot be used is said at the start, without native code", () => {
  const whole = { "general.architecture": "llama", "llama.context_length": 1024, "tokenizer.ggml.model": "gpt2" };

  test.each([
    [
      "an absent file",
      () => folder.file("absent.gguf"),
      /absent\.gguf cannot be read \(ENOENT\)\. Nothing is downloaded/,
    ],
    ["a folder", () => folder.file("."), /is no file/],
    ["an empty file", () => written("empty.gguf", Buffer.alloc(0)), /no GGUF file/],
    ["safetensors", () => written("a.safetensors", Buffer.from("\u0010\0\0\0\0\0\0\0{}")), /convert_hf_to_gguf/],
    ["a cut header", () => written("cut.gguf", gguf(whole).subarray(0, 60)), /is cut or damaged|is no language model/],
    [
      "no language model",
      () => written("clip.gguf", gguf({ "general.architecture": "clip" })),
      /\(clip\) is no language model/,
    ],
    [
      "a window that it was not trained for",
      () => written("short.gguf", gguf(whole)),
      /contextTokensMax: 2048 is more than the 1024 tokens/,
    ],
  ])("%s", async (_, file, message) => {
    await expect(createLlamaLanguageModel({ ...SETTINGS, model: file() })).rejects.toMatchObject({
      code: "config_invalid",
      message: expect.stringMatching(message),
    });
  });

  test("a file without weights fails the start of Ragline", async () => {
    const model = written("hollow.gguf", gguf({ ...whole, "llama.context_length": 8192 }));
    const file = folder.file("ragline.db");
    const opening = createRagline({
      generate: { use: "llama", model },
      search: { file },
      session: { file },
      cache: { file },
    });
    await expect(opening).rejects.toMatchObject({ code: "config_invalid" });
  });
});
