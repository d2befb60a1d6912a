import { expect } from "vitest";
import { RaglineError } from "../../src/errors.ts";
import { until } from "./calls.ts";
import { refusing } from "./stub-model.ts";
import type { StubHandler, StubServer } from "./stub-server.ts";

export interface Fault {
  readonly name: string;
  readonly handler: StubHandler;
  /** Whether another try may help. */
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
}

function refused(status: number, headers: Record<string, string> = {}): StubHandler {
  return (request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    return refusing(status)(request, response);
  };
}

const broken = (text: string): StubHandler => {
  return (_request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.write(text);
    setTimeout(() => response.destroy(), 10);
  };
};
const whole = (text: string): StubHandler => {
  return (_request, response) => void response.writeHead(200, { "content-type": "application/json" }).end(text);
};

/** What any endpoint over HTTP may do instead of answering, over a real socket. */
export const FAULTS: readonly Fault[] = [
  ...[400, 401, 403, 404].map((status) => ({ name: `status ${status}`, handler: refused(status), retryable: false })),
  ...[408, 429, 500, 502, 503].map((status) => ({
    name: `status ${status}`,
    handler: refused(status),
    retryable: true,
  })),
  { name: "429 with Retry-After", handler: refused(429, { "retry-after": "7" }), retryable: true, retryAfterMs: 7000 },
  {
    name: "503 with retry-after-ms",
    handler: refused(503, { "retry-after-ms": "250" }),
    retryable: true,
    retryAfterMs: 250,
  },
  { name: "a body that is cut", handler: broken('{"data": [{"index": 0, "embedding": [0.1,'), retryable: true },
  { name: "a body that is cut within a Korean character", handler: broken('{"휴'.slice(0, 2)), retryable: true },
  { name: "no JSON", handler: whole("<html>not found</html>"), retryable: true },
  { name: "NaN, which is no JSON", handler: whole('{"data": [NaN]}'), retryable: true },
  { name: "null", handler: whole("null"), retryable: false },
  { name: "another shape", handler: whole('{"object": "list"}'), retryable: false },
];

/** Fails as a port may: one error class, the upstream's words in the cause alone. */
export async function expectFailure(
  pending: Promise<unknown>,
  { retryable, retryAfterMs, name }: Fault,
): Promise<void> {
  const error = await pending.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(RaglineError);
  expect(error).toMatchObject({ code: "dependency_failed" });
  // What an answer that cannot be read is worth is the adapter's to say.
  if (name.startsWith("status") || retryAfterMs) expect(error).toMatchObject({ retryable });
  if (retryAfterMs) expect(error).toMatchObject({ retryAfterMs });
  expect(String(error)).not.toContain("secret-host");
  expect(JSON.stringify((error as RaglineError).body())).not.toContain("secret-host");
}

/** The caller leaves: the call ends at once, and the socket is closed within 100 ms. */
export async function expectAbort(server: StubServer, run: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const asked = server.requests.length;
  const abandoned = server.abandonedAt.length;
  const controller = new AbortController();
  const pending = run(controller.signal).catch((error: unknown) => error);
  await until("the endpoint has the call", () => server.requests.slice(asked).some(({ path }) => path !== "/info"));
  const abortedAt = performance.now();
  controller.abort(new RaglineError("cancelled", "The caller left."));
  expect(await pending).toBeInstanceOf(Error);
  expect(performance.now() - abortedAt).toBeLessThan(100);
  await until("the socket closes", () => server.abandonedAt.length > abandoned);
  expect((server.abandonedAt.at(-1) ?? Number.POSITIVE_INFINITY) - abortedAt).toBeLessThan(100);
}
