import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./calls.ts";
import { type Folder, keptIn, temporaryFolder } from "./folder.ts";
import { found, keptFolder, pythonPackages } from "./installed.ts";
import { freePort, freePorts } from "./redis.ts";

/** A real Milvus, the newest that PyPI has for Linux: before sparse vectors. */
export const MILVUS_VERSION = "2.3.5";
/** Another implementation of the same protocol, with sparse vectors. */
export const MILVUS_LITE_VERSION = "3.2.2";

/** The unpacked server, or why it is not here. */
export const milvus = found(`Milvus ${MILVUS_VERSION}`, () => {
  const packages = pythonPackages(`milvus-${MILVUS_VERSION}-python`, [`milvus==${MILVUS_VERSION}`]);
  return keptFolder(`milvus-${MILVUS_VERSION}`, (folder) => {
    const unpack =
      "import sys, milvus; config = milvus.MilvusServerConfig(data_dir=sys.argv[1], proxy_port=19530); " +
      "config.resolve(); milvus._initialize_data_files(config.base_data_dir)";
    const env = { ...process.env, PYTHONPATH: packages };
    execFileSync("python3", ["-c", unpack, folder], { env, stdio: "pipe", timeout: 120_000 });
  });
});

/** The program, or why it is not here. */
export const milvusLite = found(`Milvus Lite ${MILVUS_LITE_VERSION}`, () =>
  join(
    pythonPackages(`milvus-lite-${MILVUS_LITE_VERSION}`, [`milvus-lite==${MILVUS_LITE_VERSION}`, "pymilvus==3.0.2"]),
    "../../../bin/milvus-lite",
  ),
);

/** It takes two seconds; on a machine whose cores are others', ten. */
const START_TIMEOUT_MS = 40_000;
const STARTS_MAX = 3;

const ROLES = ["ROOTCOORD", "QUERYCOORD", "QUERYNODE", "INDEXNODE", "DATACOORD", "DATANODE"];

export interface MilvusServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  signal(signal: NodeJS.Signals): void;
  /** Ends it with SIGKILL; nothing else does. */
  kill(): Promise<void>;
  /** Starts it again on the same ports and files. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** `folder`: kept, with what is in it; absent: one that goes. `timeTickMs`: how long asking for what is true now takes at most; as a server has it unless told otherwise, 200. */
export async function startMilvus({
  timeTickMs = 20,
  folder: kept,
}: {
  readonly timeTickMs?: number;
  readonly folder?: string;
} = {}): Promise<MilvusServer> {
  const { there } = milvus;
  if (!there) throw new Error(milvus.missing ?? "missing");
  const folder = kept === undefined ? temporaryFolder() : keptIn(kept);
  for (const name of ["configs", "data", "logs", "run"]) mkdirSync(folder.file(name), { recursive: true });
  if (!existsSync(folder.file("bin"))) symlinkSync(join(there, "bin"), folder.file("bin"));
  const config = readFileSync(join(there, "configs/milvus.yaml"), "utf8").replaceAll(there, folder.path);
  writeFileSync(folder.file("configs/milvus.yaml"), config);
  writeFileSync(folder.file("configs/glog.conf"), readFileSync(join(there, "configs/glog.conf")));
  return started(
    async () => {
      const [port = 0, metrics = 0, client = 0, peer = 0, internal = 0, ...ofRoles] = await freePorts(5 + ROLES.length);
      writeFileSync(folder.file("configs/etcd.yaml"), etcdConfig(folder.file("data/etcd.data"), client, peer));
      const env: Record<string, string> = {
        ...(process.env as Record<string, string>),
        DEPLOY_MODE: "STANDALONE",
        METRICS_PORT: `${metrics}`,
        MILVUS_RUN_DIR: folder.file("run"),
        LD_LIBRARY_PATH: join(there, "bin"),
        // A server that was killed holds its place for as long.
        COMMON_SESSION_TTL: "5",
        ETCD_ENDPOINTS: `127.0.0.1:${client}`,
        ETCD_CONFIG_PATH: folder.file("configs/etcd.yaml"),
        PROXY_PORT: `${port}`,
        PROXY_INTERNALPORT: `${internal}`,
        PROXY_TIMETICKINTERVAL: `${timeTickMs}`,
        // Or else it talks over the machine's first other address.
        PROXY_IP: "127.0.0.1",
      };
      for (const [i, role] of ROLES.entries()) {
        env[`${role}_PORT`] = `${ofRoles[i]}`;
        env[`${role}_IP`] = "127.0.0.1";
      }
      const isUp = async () => {
        const response = await fetch(`http://127.0.0.1:${metrics}/healthz`, { signal: AbortSignal.timeout(2000) });
        return (await response.text()) === "OK";
      };
      return { program: join(there, "bin/milvus"), args: ["run", "standalone"], env, port, isUp };
    },
    folder,
    kept !== undefined,
  );
}

export async function startMilvusLite(): Promise<MilvusServer> {
  const { there } = milvusLite;
  if (!there) throw new Error(milvusLite.missing ?? "missing");
  const { MilvusClient } = await import("@zilliz/milvus2-sdk-node");
  const folder = temporaryFolder();
  return started(
    async () => {
      const port = await freePort();
      const args = ["server", "--data-dir", folder.path, "--host", "127.0.0.1", "--port", `${port}`];
      const isUp = async () => {
        const client = new MilvusClient({
          address: `127.0.0.1:${port}`,
          __SKIP_CONNECT__: true,
          maxRetries: 0,
          logLevel: "error",
          telemetry: { enabled: false },
          timeout: 2000,
          channelOptions: { "grpc.keepalive_time_ms": 300_000 },
        });
        try {
          const { version } = (await client.getVersion()) as unknown as { readonly version?: string };
          return version !== undefined;
        } finally {
          await client.closeConnection();
        }
      };
      return { program: there, args, env: process.env as Record<string, string>, port, isUp };
    },
    folder,
    false,
  );
}

interface Program {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly port: number;
  readonly isUp: () => Promise<boolean>;
}

/** A server on the ports that `placed` finds for it; on others where it does not come up on these, as one did that once stood still for a minute instead of starting in two seconds. */
async function started(placed: () => Promise<Program>, folder: Folder, isKept: boolean): Promise<MilvusServer> {
  for (let attempts = 1; ; attempts++) {
    const server = new MilvusProcess(await placed(), folder);
    try {
      await server.start();
      return server.asServer(() => {
        if (!isKept) folder.remove();
      });
    } catch (error) {
      await server.kill();
      if (attempts === STARTS_MAX) throw error;
      console.warn(`started once more: ${String(error)}`);
    }
  }
}

class MilvusProcess {
  readonly #program: Program;
  readonly #folder: Folder;
  #child: ChildProcess | undefined;

  constructor(program: Program, folder: Folder) {
    this.#program = program;
    this.#folder = folder;
  }

  /** @throws Error with the end of what it printed, where it ends or does not answer in time. */
  async start(): Promise<void> {
    const { program, args, env, port, isUp } = this.#program;
    const printed = openSync(this.#folder.file("printed.log"), "a");
    const child = spawn(program, args, { cwd: this.#folder.path, env, stdio: ["ignore", printed, printed] });
    closeSync(printed);
    this.#child = child;
    const isThere = () => {
      if (child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode}`);
      return isUp().catch(() => false);
    };
    await until(`${program} answers at ${port}`, isThere, START_TIMEOUT_MS).catch((cause) => {
      const end = readFileSync(this.#folder.file("printed.log"), "utf8").slice(-4000);
      throw new Error(`${program} did not start; its last words:\n${end}`, { cause });
    });
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("close", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  asServer(removeFiles: () => void): MilvusServer {
    const { port } = this.#program;
    const pid = () => this.#child?.pid ?? 0;
    return {
      url: `http://127.0.0.1:${port}`,
      port,
      get pid() {
        return pid();
      },
      signal: (signal) => void this.#child?.kill(signal),
      kill: () => this.kill(),
      restart: () => this.start(),
      close: async () => {
        await this.kill();
        removeFiles();
      },
    };
  }
}

function etcdConfig(folder: string, client: number, peer: number): string {
  const [clients, peers] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`];
  const lines = [
    "name: default",
    `data-dir: ${folder}`,
    `listen-client-urls: ${clients}`,
    `advertise-client-urls: ${clients}`,
    `listen-peer-urls: ${peers}`,
    `initial-advertise-peer-urls: ${peers}`,
    `initial-cluster: default=${peers}`,
  ];
  return `${lines.join("\n")}\n`;
}
