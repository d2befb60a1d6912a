import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { openEndpoints } from "../../src/adapters/grpc/open.ts";
import { RaglineError } from "../../src/errors.ts";
import { sleep } from "../support/calls.ts";

test("endpoints of which none can be used are let go of", async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket.on("error", () => undefined)));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  onTestFinished(() => void server.close());
  const options = {
    step: "embed",
    endpoints: [`127.0.0.1:${port}`],
    tls: false,
    keepAliveMs: 10_000,
    reconnectMaxMs: 200,
    messageBytesMax: 1_000_000,
  } as const;
  const refused = new RaglineError("config_invalid", "embed.endpoints: no model");
  const opened = openEndpoints(options, true, () => {
    throw refused;
  });
  await expect(opened).rejects.toBe(refused);
  const reached = sockets.length;
  expect(reached).toBeGreaterThan(0);
  for (const socket of sockets) socket.destroy();
  await sleep(600);
  expect(sockets.length).toBe(reached);
});
