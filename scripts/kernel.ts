import { writeFile } from "node:fs/promises";
import { kernelCode } from "./kernel-code.ts";

/** Assembles src/resident/kernel.wat and kernel-relaxed.wat into kernel-code.ts beside it. */
await writeFile(new URL("../src/resident/kernel-code.ts", import.meta.url), await kernelCode());
