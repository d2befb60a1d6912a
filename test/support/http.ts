import { createParser } from "eventsource-parser";
import { expect } from "vitest";
import type { z } from "zod";
import { ERRORS, type ErrorCode } from "../../src/errors.ts";
import { errorSchema, eventSchema } from "../../src/http/responses.ts";

export type Event = z.output<typeof eventSchema>;

export function postJson(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body),
  });
}

/** The events of an answer, each held against its schema. */
export async function eventsOf(response: Response): Promise<Event[]> {
  expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
  const events: Event[] = [];
  const parser = createParser({
    onEvent: ({ event, data }) => {
      const parsed = eventSchema.parse(JSON.parse(data));
      expect(event).toBe(parsed.type);
      events.push(parsed);
    },
  });
  parser.feed(await response.text());
  return events;
}

export function textOf(events: readonly Event[]): string {
  return events.map((event) => (event.type === "text-delta" ? event.text : "")).join("");
}

/** Holds an error response against the error table and its schema. @returns the error */
export async function expectError(response: Response, code: ErrorCode, names?: RegExp) {
  const body: unknown = await response.json();
  const { error } = errorSchema.strict().parse(body);
  expect(error).toMatchObject({ code, retryable: ERRORS[code].retryable });
  expect(response.status).toBe(ERRORS[code].status);
  expect(error.requestId).toBe(response.headers.get("x-request-id"));
  expect(error.message).not.toMatch(/\bat .*\.ts:|node_modules|ZodError/);
  if (names) expect(error.message).toMatch(names);
  return error;
}
