import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { finish } from "../cli/run.ts";
import { folderForTest } from "../support/folder.ts";

const INDEX = new URL("../../src/index.ts", import.meta.url).href;

test("a process whose Ragline cannot be opened ends: nothing goes on connecting to what was opened before", async () => {
  const folder = folderForTest();
  const config = {
    rerank: { use: "grpc", endpoints: ["127.0.0.1:5"] },
    search: { use: "sqlite", file: folder.file("no/such/index.db") },
    log: { level: "silent" },
  };
  const script = `import { createRagline } from ${JSON.stringify(INDEX)};
    await createRagline(${JSON.stringify(config)}).catch(({ code }) => console.log(code));`;
  writeFileSync(folder.file("opening.mjs"), script);
  const child = spawn(process.execPath, [folder.file("opening.mjs")], { cwd: folder.path, timeout: 20_000 });
  expect(await finish(child)).toEqual({ code: 0, stdout: "config_invalid\n", stderr: "" });
});
