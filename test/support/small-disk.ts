import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { onTestFinished, type TestContext } from "vitest";

/** Mounts a file system of that many MiB at the path until the test ends; skips the test where that is not permitted. */
export function mountSmallDisk(context: TestContext, path: string, sizeMb: number): void {
  mkdirSync(path);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${sizeMb}m`, "tmpfs", path], { stdio: "ignore" });
  } catch {
    context.skip("no permission to mount a file system");
  }
  onTestFinished(() => void execFileSync("umount", [path]));
}
