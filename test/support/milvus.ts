import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./calls.ts";
import { keptIn, temporaryFolder } from "./folder.ts";
import { found, keptFolder, pythonPackages } from "./installed.ts";
import { freePort } from "./redis.ts";

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
  const port = await freePort();
  const metrics = await freePort();
  const [client, peer] = [await freePort(), await freePort()];
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
    PROXY_INTERNALPORT: `${await freePort()}`,
    PROXY_TIMETICKINTERVAL: `${timeTickMs}`,
  };
  for (const role of ["ROOTCOORD", "QUERYCOORD", "QUERYNODE", "INDEXNODE", "DATACOORD", "DATANODE"]) {
    env[`${role}_PORT`] = `${await freePort()}`;
  }
  // Or else they talk over the machine's first other address.
  for (const role of ["ROOTCOORD", "PROXY", "QUERYCOORD", "QUERYNODE", "INDEXNODE", "DATACOORD", "DATANODE"]) {
    env[`${role}_IP`] = "127.0.0.1";
  }
  const isUp = async () => {
    const response = await fetch(`http://127.0.0.1:${metrics}/healthz`, { signal: AbortSignal.timeout(2000) });
    return (await response.text()) === "OK";
  };
  return started(
    { program: join(there, "bin/milvus"), args: ["run", "standalone"], cwd: folder.path, env },
    port,
    isUp,
    () => {
      if (kept === undefined) folder.remove();
    },
  );
}

export async function startMilvusLite(): Promise<MilvusServer> {
  const { there } = milvusLite;
  if (!there) throw new Error(milvusLite.missing ?? "missing");
  const folder = temporaryFolder();
  const port = await freePort();
  const args = ["server", "--data-dir", folder.path, "--host", "127.0.0.1", "--port", `${port}`];
  const isUp = async () => {
    const { MilvusClient } = await import("@zilliz/milvus2-sdk-node");
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
  const env = process.env as Record<string, string>;
  return started({ program: there, args, cwd: folder.path, env }, port, isUp, () => folder.remove());
}

interface Program {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

async function started(
  { program, args, cwd, env }: Program,
  port: number,
  isUp: () => Promise<boolean>,
  removeFiles: () => void,
): Promise<MilvusServer> {
  const start = () => {
    const child = spawn(program, args, { cwd, env, stdio: "ignore" });
    const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
    return { child, gone };
  };
  let running = start();
  const answers = () =>
    until(
      `${program} answers at ${port}`,
      () => {
        if (running.child.exitCode !== null) throw new Error(`${program} ended with ${running.child.exitCode}`);
        return isUp().catch(() => false);
      },
      60_000,
    );
  await answers();
  const kill = async () => {
    running.child.kill("SIGKILL");
    await running.gone;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    get pid() {
      return running.child.pid ?? 0;
    },
    signal: (signal) => void running.child.kill(signal),
    kill,
    async restart() {
      running = start();
      await answers();
    },
    async close() {
      await kill();
      removeFiles();
    },
  };
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
