import type { FastifyTypeProvider } from "fastify";
import type { z } from "zod";

/** Types what a route reads by its zod schemas; what it sends is checked against them by the tests. */
export interface ZodRequests extends FastifyTypeProvider {
  readonly validator: this["schema"] extends z.ZodType ? z.output<this["schema"]> : unknown;
  readonly serializer: unknown;
}
