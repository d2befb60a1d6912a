import { execFileSync, spawn } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { until } from "./calls.ts";
import { keptIn, temporaryFolder } from "./folder.ts";
import { debianProgram, found, keptFolder } from "./installed.ts";
import { freePorts } from "./redis.ts";

const VERSION = "3.5.0";
const ZIPS = [
  ["org.opensearch.distribution.integ-test-zip", "opensearch", VERSION],
  ["org.opensearch.plugin", "opensearch-knn", `${VERSION}.0`],
] as const;
const JVMS = "/usr/lib/jvm";
/** Neither root nor anybody's. */
const NOBODY = 65_534;

/** The distribution with the k-NN plugin and Java 21 or newer, or why they are not here. */
export const openSearch = found("OpenSearch", () => ({ home: distribution(), java: javaHome() }));

function distribution(): string {
  return join(
    keptFolder(`opensearch-${VERSION}`, (folder) => {
      const [server, plugin] = ZIPS.map(([group, artifact, version]) => fromMaven(group, artifact, version));
      debianProgram("unzip", "unzip");
      execFileSync("unzip", ["-q", server ?? "", "-d", folder]);
      execFileSync("unzip", [
        "-q",
        plugin ?? "",
        "-d",
        join(folder, `opensearch-${VERSION}`, "plugins/opensearch-knn"),
      ]);
    }),
    `opensearch-${VERSION}`,
  );
}

function fromMaven(group: string, artifact: string, version: string): string {
  const file = join(
    homedir(),
    ".m2/repository",
    group.replaceAll(".", "/"),
    artifact,
    version,
    `${artifact}-${version}.zip`,
  );
  if (!existsSync(file)) {
    debianProgram("mvn", "maven");
    const args = ["-q", "-B", "dependency:get", "-Dtransitive=false", `-Dartifact=${group}:${artifact}:${version}:zip`];
    execFileSync("mvn", args, { stdio: "pipe", timeout: 280_000 });
  }
  return file;
}

function javaHome(): string {
  const folders = existsSync(JVMS) ? readdirSync(JVMS) : [];
  const homes = [
    process.env.OPENSEARCH_JAVA_HOME ?? "",
    process.env.JAVA_HOME ?? "",
    ...folders.map((name) => join(JVMS, name)),
  ];
  const home = homes.find((one) => one !== "" && majorVersion(one) >= 21);
  if (home === undefined) throw new Error("no Java 21 or newer: set OPENSEARCH_JAVA_HOME");
  return home;
}

function majorVersion(home: string): number {
  try {
    return Number(/JAVA_VERSION="(\d+)/.exec(readFileSync(join(home, "release"), "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

export interface OpenSearchNode {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  signal(signal: NodeJS.Signals): void;
  /** Ends it with SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again on the same ports and files; resolves when it answers. */
  restart(): Promise<void>;
}

export interface OpenSearchCluster {
  /** All nodes, comma-separated. */
  readonly url: string;
  readonly nodes: readonly OpenSearchNode[];
  close(): Promise<void>;
}

/**
 * A real cluster on free ports of loopback, as another user than root. Ready when all its nodes are there. With `kept`, in this
 * folder, where it stays and is found again.
 */
export async function startOpenSearch(size = 1, kept?: string, heapMb = 512): Promise<OpenSearchCluster> {
  const { there } = openSearch;
  if (!there) throw new Error(openSearch.missing);
  const folder = kept === undefined ? temporaryFolder() : keptIn(kept);
  chmodSync(folder.path, 0o755);
  const free = await freePorts(2 * size);
  const ports = Array.from({ length: size }, (_, i) => ({ http: free[2 * i] ?? 0, transport: free[2 * i + 1] ?? 0 }));
  const seeds = ports.map(({ transport }) => `127.0.0.1:${transport}`).join(",");
  const discovery =
    size === 1
      ? "discovery.type: single-node"
      : `discovery.seed_hosts: ${seeds}\ncluster.initial_cluster_manager_nodes: ${ports.map((_, i) => `n${i}`).join(",")}`;
  const starting = ports.map(async ({ http, transport }, i) => {
    const home = folder.file(`n${i}`);
    mkdirSync(home, { recursive: true });
    cpSync(join(there.home, "config"), join(home, "config"), { recursive: true });
    const settings = [
      "cluster.name: test",
      `node.name: n${i}`,
      "network.host: 127.0.0.1",
      `http.port: ${http}`,
      `transport.port: ${transport}`,
      `path.data: ${home}/data`,
      `path.logs: ${home}/logs`,
      "cluster.routing.allocation.disk.threshold_enabled: false",
      "action.auto_create_index: false",
      discovery,
    ];
    // Logs of the virtual machine would go into the installation, which is not this user's.
    const options = readFileSync(join(there.home, "config/jvm.options"), "utf8").split("\n");
    writeFileSync(join(home, "config/jvm.options"), options.filter((line) => !line.includes("logs/")).join("\n"));
    writeFileSync(join(home, "config/opensearch.yml"), `${settings.join("\n")}\n`);
    if (process.getuid?.() === 0) execFileSync("chown", ["-R", `${NOBODY}:${NOBODY}`, home]);
    return startNode({ ...there, heapMb }, home, http);
  });
  const nodes = await Promise.all(starting);
  await until("all nodes are there", () => hasNodes(nodes[0]?.url ?? "", size), 120_000);
  return {
    url: nodes.map(({ url }) => url).join(","),
    nodes,
    async close() {
      await Promise.all(nodes.map((node) => node.kill()));
      if (kept === undefined) folder.remove();
    },
  };
}

async function startNode(
  there: { readonly home: string; readonly java: string; readonly heapMb: number },
  home: string,
  port: number,
): Promise<OpenSearchNode> {
  const url = `http://127.0.0.1:${port}`;
  const isRoot = process.getuid?.() === 0;
  const start = () => {
    const child = spawn(join(there.home, "bin/opensearch"), [], {
      stdio: "ignore",
      cwd: home,
      env: {
        ...process.env,
        OPENSEARCH_JAVA_HOME: there.java,
        OPENSEARCH_PATH_CONF: join(home, "config"),
        OPENSEARCH_JAVA_OPTS: `-Xms${there.heapMb}m -Xmx${there.heapMb}m`,
        OPENSEARCH_TMPDIR: home,
        HOME: home,
      },
      ...(isRoot && { uid: NOBODY, gid: NOBODY }),
    });
    const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
    return { child, gone };
  };
  let running = start();
  const isUp = () => {
    const { child } = running;
    const answers = () => {
      if (child.exitCode !== null) throw new Error(`OpenSearch ended with ${child.exitCode}`);
      return hasNodes(url, 1);
    };
    return until(`OpenSearch answers at ${port}`, answers, 120_000);
  };
  await isUp().catch((thrown: unknown) => {
    running.child.kill("SIGKILL");
    throw thrown;
  });
  return {
    url,
    port,
    get pid() {
      return running.child.pid ?? 0;
    },
    signal: (signal) => void running.child.kill(signal),
    async kill() {
      running.child.kill("SIGKILL");
      await running.gone;
    },
    async restart() {
      running = start();
      await isUp();
    },
  };
}

async function hasNodes(url: string, size: number): Promise<boolean> {
  const response = await fetch(`${url}/_cluster/health`, { signal: AbortSignal.timeout(2000) }).catch(() => null);
  if (!response?.ok) return false;
  return ((await response.json()) as { readonly number_of_nodes: number }).number_of_nodes >= size;
}
