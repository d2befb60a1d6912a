import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Endpoint, post } from "../../src/adapters/http/post.ts";
import { sleep } from "../support/calls.ts";
import { type StubHandler, type StubServer, stubServer } from "../support/stub-server.ts";

/** Longer than a response of `begun` takes. */
const LONG_MS = 300;
let server: StubServer;
beforeAll(async () => {
  server = await stubServer(() => undefined);
});
afterAll(() => server.close());

/** A body whose first bytes were read, while others come and it ends as `ending` says. */
async function begun(ending: Parameters<StubHandler>[1] extends infer R ? (response: R) => void : never) {
  const controller = new AbortController();
  server.answer(async (_request, response) => {
    response.write("a");
    await sleep(50);
    response.write("b");
    await sleep(50);
    response.write("c");
    await sleep(50);
    ending(response);
  });
  const body = await post(new Endpoint(server.url), {}, controller.signal);
  expect(text(await body.next())).toBe("a");
  return { body, controller };
}

function text({ value }: IteratorResult<Uint8Array, undefined>): string | undefined {
  return value && Buffer.from(value).toString();
}

test("what is gathered comes together, with the response's end", async () => {
  const { body } = await begun((response) => response.end());
  expect(text(await body.gather(LONG_MS))).toBe("bc");
  expect((await body.gather(LONG_MS)).done).toBe(true);
});

test("nothing that arrived is lost where the response breaks", async () => {
  const { body } = await begun((response) => response.destroy());
  expect(text(await body.gather(LONG_MS))).toBe("bc");
  await expect(body.gather(LONG_MS)).rejects.toThrow();
});

test("it is over once its caller leaves", async () => {
  const { body, controller } = await begun(() => undefined);
  await sleep(500);
  const gathered = body.gather(60_000);
  controller.abort(new Error("gone"));
  expect(text(await gathered)).toBe("bc");
  await expect(body.gather(LONG_MS)).rejects.toThrow("gone");
});

test("much comes in order, also where the sender was told to wait meanwhile", async () => {
  const sent = Buffer.alloc(
    4_000_000,
    Uint8Array.from({ length: 251 }, (_, i) => i),
  );
  server.answer((_request, response) => {
    response.end(sent);
  });
  const body = await post(new Endpoint(server.url), {}, new AbortController().signal);
  const pieces: Uint8Array[] = [];
  for (let item = await body.gather(1); !item.done; item = await body.gather(pieces.length % 3))
    pieces.push(item.value);
  expect(Buffer.concat(pieces).equals(sent)).toBe(true);
});

test("after its time it is whatever comes next, if nothing has come yet", async () => {
  const { body } = await begun(() => undefined);
  expect(text(await body.gather(1))).toBe("b");
  expect(text(await body.gather(1))).toBe("c");
  await body.return();
});

test("meanwhile the socket is not read", async () => {
  server.answer(async (_request, response) => {
    while (!response.destroyed) {
      response.write("a");
      await sleep(10);
    }
  });
  let socket: Socket | undefined;
  const onHeaders = (message: unknown) => {
    socket = (message as { readonly socket: Socket }).socket;
  };
  subscribe("undici:client:sendHeaders", onHeaders);
  const body = await post(new Endpoint(server.url), {}, new AbortController().signal);
  unsubscribe("undici:client:sendHeaders", onHeaders);
  await body.next();
  const gathered = body.gather(600);
  await sleep(200);
  const readBytes = socket?.bytesRead;
  await sleep(200);
  expect(socket?.bytesRead).toBe(readBytes);
  expect(text(await gathered)?.length).toBeGreaterThan(20);
  await body.return();
});
