import { spawn } from "node:child_process";

const CHILD = new URL("./asking-child.ts", import.meta.url).pathname;

export interface ServedProcess {
  readonly url: string;
  kill(): Promise<void>;
}

/** A Ragline in a process of its own, behind a real socket. `port` 0: a free one. */
export async function serveProcess(config: object, port = 0): Promise<ServedProcess> {
  const child = spawn(process.execPath, [CHILD, JSON.stringify(config), `${port}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding("utf8").once("data", (line: string) => resolve(line.trim()));
    child.once("close", () => reject(new Error("the process ended before it served")));
  });
  return {
    url,
    async kill() {
      child.kill("SIGKILL");
      await closed;
    },
  };
}
