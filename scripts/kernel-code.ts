import { readFile } from "node:fs/promises";
import wabt from "wabt";

const SOURCE = new URL("../src/resident/kernel.wat", import.meta.url);

/** src/resident/kernel-code.ts, as its source assembles to. */
export async function kernelCode(): Promise<string> {
  const { parseWat } = await wabt();
  const module = parseWat("kernel.wat", await readFile(SOURCE, "utf8"), { simd: true, threads: true });
  const { buffer } = module.toBinary({});
  module.destroy();
  const lines =
    Buffer.from(buffer)
      .toString("base64")
      .match(/.{1,110}/g) ?? [];
  return [
    "/** kernel.wat, assembled by `npm run kernel`; a test holds it to its source. Base64, so that sources run without a build. */",
    "export const KERNEL_CODE =",
    `${lines.map((line) => `  "${line}"`).join(" +\n")};`,
    "",
  ].join("\n");
}
