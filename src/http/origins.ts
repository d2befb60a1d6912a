import cors from "@fastify/cors";
import type { FastifyInstance } from "fastify";

/** How long a browser need not ask again. */
const PREFLIGHT_SECONDS = 600;

/**
 * Lets pages of these origins read what is answered, refusals too. What a browser asks beforehand is answered before anybody is asked
 * for a key, which it does not send then. Any header may come, as OpenAI's clients send many of their own (`x-stainless-…`).
 */
export async function allowOrigins(app: FastifyInstance, origins: readonly string[]): Promise<void> {
  await app.register(cors, {
    origin: [...origins],
    methods: ["GET", "POST", "PUT", "DELETE"],
    exposedHeaders: ["x-request-id", "retry-after", "x-should-retry"],
    maxAge: PREFLIGHT_SECONDS,
    strictPreflight: false,
  });
}
