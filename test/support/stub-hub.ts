import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join, relative } from "node:path";

export type HubHandler = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface StubHub {
  readonly url: string;
  /** Paths asked for, in order. */
  readonly requests: string[];
  /** Answers before the hub does; false: it did not. */
  intercept(handler: HubHandler | null): void;
  close(): Promise<void>;
}

const SHA = "0123456789abcdef0123456789abcdef01234567";

/** Serves a folder as the repository of that name, as the hub's API and file routes do. */
export async function stubHub(repository: string, folder: string): Promise<StubHub> {
  const requests: string[] = [];
  let first: HubHandler | null = null;
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
  const tree = [
    { type: "directory", path: "onnx", oid: "0", size: 0 },
    ...files.map((path) => {
      const content = readFileSync(join(folder, path));
      const lfs = { oid: createHash("sha256").update(content).digest("hex"), size: content.length, pointerSize: 133 };
      return { type: "file", path, oid: "0", size: content.length, ...(path.endsWith(".onnx") && { lfs }) };
    }),
  ];
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    requests.push(path);
    if (first?.(request, response)) return;
    const json = (value: unknown) => {
      response.setHeader("content-type", "application/json").end(JSON.stringify(value));
    };
    if (path === `/api/models/${repository}/revision/main`) return json({ id: repository, sha: SHA });
    if (path === `/api/models/${repository}/tree/${SHA}?recursive=true`) return json(tree);
    const file = path.startsWith(`/${repository}/resolve/${SHA}/`) ? path.split("/").slice(5).join("/") : "";
    // Large files are answered from elsewhere.
    if (file.endsWith(".onnx")) return response.writeHead(302, { location: `/cdn/${file}` }).end();
    const name = path.startsWith("/cdn/") ? path.slice(5) : file;
    if (files.includes(name)) return response.end(readFileSync(join(folder, name)));
    return response.writeHead(404).end("Repository not found");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    intercept: (handler) => {
      first = handler;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
