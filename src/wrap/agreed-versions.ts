import { randomUUID } from "node:crypto";
import type { Scope } from "../types.ts";

/** An endpoint sees what another has written within 200 ms (`PassageIndex`, rule 2); twice that leaves some for busy machines. */
const AGREED_AFTER_MS = 400;
/** Collections of which the version is remembered. */
const COLLECTIONS_MAX = 1000;

interface Seen {
  readonly version: string;
  readonly since: number;
}

/**
 * Versions of collections that several endpoints tell. One that was not heard for long enough may be unknown to the endpoint that
 * is searched next: under it an answer of what was there before would be kept. A version that nobody is told twice stands for it.
 */
export class AgreedVersions {
  readonly #seen = new Map<string, Seen>();

  of({ tenant, collection }: Scope, version: string): string {
    const key = JSON.stringify([tenant, collection]);
    const now = performance.now();
    const known = this.#seen.get(key);
    this.#seen.delete(key);
    const seen = known?.version === version ? known : { version, since: now };
    this.#seen.set(key, seen);
    if (this.#seen.size > COLLECTIONS_MAX) this.#seen.delete(this.#seen.keys().next().value ?? "");
    return now - seen.since >= AGREED_AFTER_MS ? version : `${version}:${randomUUID()}`;
  }
}
