import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { printed, start } from "../cli/run.ts";
import { postJson } from "./http.ts";
import { freePort } from "./redis.ts";

const UPSTREAM = new URL("./upstream-child.ts", import.meta.url).pathname;

/** A server in a process of its own, which can be killed, stopped and started again at its address. */
export class Upstream {
  readonly url: string;
  readonly #port: number;
  #child: ChildProcess | undefined;

  private constructor(port: number) {
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(): Promise<Upstream> {
    const upstream = new Upstream(await freePort());
    await upstream.#start();
    return upstream;
  }

  async #start(): Promise<void> {
    this.#child = spawn(process.execPath, [UPSTREAM, `${this.#port}`], { stdio: ["ignore", "pipe", "inherit"] });
    await printed(this.#child, /http/);
  }

  async mode(mode: string): Promise<void> {
    await postJson(`${this.url}/mode`, { mode });
  }

  async work(): Promise<{ readonly lastWorkAt: number; readonly calls: number }> {
    return (await fetch(`${this.url}/work`)).json() as Promise<{ lastWorkAt: number; calls: number }>;
  }

  stop(): void {
    this.#child?.kill("SIGSTOP");
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.signalCode !== null) return;
    const closed = new Promise((resolve) => child.once("close", resolve));
    child.kill("SIGKILL");
    await closed;
  }

  /** Running, and well. */
  async heal(): Promise<void> {
    this.#child?.kill("SIGCONT");
    if (this.#child?.signalCode !== null) await this.#start();
    await this.mode("well");
  }
}

/** `ragline` in a folder, in a process of its own, which can be killed and started again. */
class RaglineProcess {
  readonly #folder: string;
  readonly #args: readonly string[];
  readonly #ready: RegExp;
  #child: ChildProcess | undefined;

  constructor(folder: string, args: readonly string[], ready: RegExp) {
    this.#folder = folder;
    this.#args = args;
    this.#ready = ready;
  }

  /** @returns what it printed up to being ready. */
  async restart(): Promise<string> {
    this.#child = start(this.#folder, this.#args);
    this.#child.stderr?.resume();
    return printed(this.#child, this.#ready);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.signalCode !== null) return;
    const closed = new Promise((resolve) => child.once("close", resolve));
    child.kill("SIGKILL");
    await closed;
  }
}

/** `ragline serve`. With a fixed port it can be started again at its address. */
export class ServerProcess extends RaglineProcess {
  url = "";

  static async start(folder: string, name: string, config: object): Promise<ServerProcess> {
    writeFileSync(`${folder}/${name}.yaml`, JSON.stringify({ ...config, log: { level: "silent" } }));
    const one = new ServerProcess(folder, ["serve", "-c", `${name}.yaml`], LISTENING);
    [, one.url = ""] = LISTENING.exec(await one.restart()) ?? [];
    return one;
  }
}

const LISTENING = /listening on (\S+);/;

/** `ragline stage`, which is started again at its address. */
export class StageProcess extends RaglineProcess {
  address = "";

  static async start(folder: string, stage: string, config: object): Promise<StageProcess> {
    const port = await freePort();
    const file = `${stage}-${port}.yaml`;
    writeFileSync(`${folder}/${file}`, JSON.stringify({ ...config, log: { level: "silent" } }));
    const one = new StageProcess(folder, ["stage", stage, "-c", file, "--port", `${port}`], /^serving|\nserving/);
    one.address = `127.0.0.1:${port}`;
    await one.restart();
    return one;
  }
}
