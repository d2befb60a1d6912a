import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { getGlobalDispatcher, ProxyAgent, setGlobalDispatcher } from "undici";
import { expect, onTestFinished, test } from "vitest";
import { Endpoint, post, readText } from "../../src/adapters/http/post.ts";
import { stubServer } from "../support/stub-server.ts";

test("calls go through the proxy that was set for the process", async () => {
  const model = await stubServer((_request, response) => {
    response.end("answered");
  });
  const asked: (string | undefined)[] = [];
  const proxy = createServer().on("connect", ({ url }, socket) => {
    asked.push(url);
    const upstream = connect(Number(new URL(model.url).port), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.pipe(socket).pipe(upstream);
    });
    socket.on("error", () => upstream.destroy());
    upstream.on("error", () => socket.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const before = getGlobalDispatcher();
  const through = new ProxyAgent(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
  setGlobalDispatcher(through);
  onTestFinished(async () => {
    setGlobalDispatcher(before);
    await through.destroy();
    proxy.close();
    await model.close();
  });

  const body = await post(new Endpoint("http://model.internal/v1"), {}, AbortSignal.timeout(5000));

  expect(await readText(body, 100)).toBe("answered");
  expect(asked).toEqual(["model.internal:80"]);
});
