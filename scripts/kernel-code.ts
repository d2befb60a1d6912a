import { readFile } from "node:fs/promises";
import wabt from "wabt";

/** src/resident/kernel-code.ts, as its sources assemble to. */
export async function kernelCode(): Promise<string> {
  return [
    "/** kernel.wat and kernel-relaxed.wat, assembled by `npm run kernel`; a test holds them to it. Base64, so that sources run without a build. */",
    "export const KERNEL_CODE =",
    `${await assembled("kernel.wat")};`,
    "export const RELAXED_KERNEL_CODE =",
    `${await assembled("kernel-relaxed.wat")};`,
    "",
  ].join("\n");
}

async function assembled(name: string): Promise<string> {
  const source = await readFile(new URL(`../src/resident/${name}`, import.meta.url), "utf8");
  const { parseWat } = await wabt();
  const module = parseWat(name, source, { simd: true, threads: true, relaxed_simd: true });
  const { buffer } = module.toBinary({});
  module.destroy();
  const lines =
    Buffer.from(buffer)
      .toString("base64")
      .match(/.{1,110}/g) ?? [];
  return lines.map((line) => `  "${line}"`).join(" +\n");
}
