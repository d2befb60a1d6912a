import type { DescribeResponse } from "../../wire/messages.ts";
import type { GrpcEndpoint } from "./endpoint.ts";

/**
 * The endpoints of one step, which must serve the same. What the first to be reached serves is what this process works with: for
 * an embedder for as long as it lives, since vectors of two spaces must not meet; otherwise until none of those that serve has it.
 */
export class Siblings {
  readonly #endpoints: GrpcEndpoint[] = [];
  readonly #isFixed: boolean;
  #agreed: DescribeResponse | null = null;

  constructor(isFixed: boolean) {
    this.#isFixed = isFixed;
  }

  add(endpoint: GrpcEndpoint): void {
    this.#endpoints.push(endpoint);
  }

  /** Null: none has been reached yet. */
  get agreed(): DescribeResponse | null {
    return this.#agreed;
  }

  heard(description: DescribeResponse): void {
    const isFirst = this.#agreed === null;
    if (isFirst || (this.#agreed && isSame(this.#agreed, description))) this.#agreed = description;
  }

  /** What an endpoint serves instead of what the others do; null: the same, or it is not known yet. */
  dissent(endpoint: GrpcEndpoint): string | null {
    const { description } = endpoint;
    if (!description || !this.#agreed || isSame(this.#agreed, description)) return null;
    const holds = (other: GrpcEndpoint) =>
      other.isHealthy && this.#agreed && other.description && isSame(this.#agreed, other.description);
    if (!this.#isFixed && !this.#endpoints.some(holds)) {
      this.#agreed = description;
      return null;
    }
    return `${endpoint.name} serves ${nameOf(description)}, but the others, or it itself before, ${nameOf(this.#agreed)}: all endpoints must serve the same; for another model restart this process`;
  }
}

function isSame(a: DescribeResponse, b: DescribeResponse): boolean {
  return a.model === b.model && a.dimensions === b.dimensions;
}

function nameOf({ model, dimensions }: DescribeResponse): string {
  return dimensions > 0 ? `${model} (${dimensions} dimensions)` : model;
}
