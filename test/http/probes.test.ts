import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { listen } from "../../src/cli/serve.ts";
import { openRagline, serveRagline } from "../support/ragline.ts";
import { sampleOf, scrape } from "../support/scrape.ts";

const HOST = "127.0.0.1";

async function served() {
  const server = await serveRagline();
  server.app.probes.listen({ host: HOST, port: 0 });
  await once(server.app.probes, "listening");
  const { port } = server.app.probes.address() as AddressInfo;
  return { ...server, probesUrl: `http://${HOST}:${port}`, probesPort: port };
}

test("the probes' port has the probes, counted as on the other one, and nothing else", async () => {
  const { probesUrl, close } = await served();
  onTestFinished(close);
  expect(await (await fetch(`${probesUrl}/healthz`)).json()).toEqual({ status: "ok" });
  expect((await fetch(`${probesUrl}/readyz?x=1`)).status).toBe(503);
  expect(sampleOf(await scrape(probesUrl), "ragline_requests_total", { route: "/healthz" })).toBe(1);
  const refused = await fetch(`${probesUrl}/v1/status`);
  expect(refused.status).toBe(404);
  expect(await refused.json()).toMatchObject({ error: { code: "not_found" } });
});

test("a probe waits for few turns of the event loop, however many connect to the other port", async () => {
  const { port, probesPort, close } = await served();
  const sockets = Array.from({ length: 60 }, () => connect(port, HOST).on("error", () => undefined));
  let turns = 0;
  const busy = () => {
    const end = performance.now() + 20;
    while (performance.now() < end);
    turns++;
    turning = setImmediate(busy);
  };
  let turning = setImmediate(busy);
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await close();
  });
  const probe = connect(probesPort, HOST);
  probe.write("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const [answer] = await once(probe, "data");
  clearImmediate(turning);
  expect(String(answer)).toMatch(/^HTTP\/1\.1 200 /);
  expect(turns).toBeLessThan(20);
});

test("a port that is taken is named", async () => {
  const { probesPort, close } = await served();
  const other = await openRagline({ server: { port: 0, probesPort } });
  onTestFinished(async () => {
    await other.close();
    await close();
  });
  await expect(listen(other.ragline)).rejects.toThrow(`server.probesPort: ${HOST}:${probesPort} is taken`);
});
