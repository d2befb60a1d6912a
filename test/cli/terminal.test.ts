import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { checkWritable } from "../../src/cli/output-file.ts";
import { printable, printableLine } from "../../src/cli/printable.ts";
import { folderForTest } from "../support/folder.ts";
import { ragline } from "./run.ts";

test("what a document says is no command to the terminal", () => {
  const hostile = "휴가\u001b[2J\u001b]52;c;QQ==\u0007 \u009b1m\r끝\n\t둘";
  expect(printable(hostile)).toBe("휴가\ufffd[2J\ufffd]52;c;QQ==\ufffd \ufffd1m\ufffd끝\n\t둘");
  expect(printableLine("a\nb\u2028c")).toBe("a b c");
});

test("ragline ask and index print a hostile document harmlessly", async () => {
  const folder = folderForTest();
  const title = "\u001b]0;owned\u0007";
  writeFileSync(folder.file(`leave${title}.md`), `# 연차${title}\n\n연차는${title} 15일이다.\n`);
  writeFileSync(folder.file(`none${title}.md`), "");
  const indexed = await ragline(folder.path, "index", ".");
  const asked = await ragline(folder.path, "ask", "연차는 며칠인가요?");
  expect(asked.stdout).toContain("15일");
  for (const { stdout, stderr } of [indexed, asked]) expect(stdout + stderr).not.toContain("\u0007");
});

test("a report that cannot be written is refused before the work, by its option", async () => {
  const folder = folderForTest();
  await expect(checkWritable("--report", folder.file("none/x.html"))).rejects.toMatchObject({
    code: "request_invalid",
    message: `--report: ${folder.file("none/x.html")} cannot be written (ENOENT)`,
  });
  await expect(checkWritable("--report", folder.path)).rejects.toMatchObject({
    message: expect.stringContaining("it is a folder"),
  });
  await checkWritable("--report", folder.file("new.html"));
  const load = await ragline(folder.path, "load", "--url", "http://127.0.0.1:9", "--report", "none/x.html");
  expect(load).toMatchObject({ code: 2, stderr: expect.stringContaining("--report: none/x.html cannot be written") });
});
