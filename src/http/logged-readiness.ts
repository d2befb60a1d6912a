import type { Ragline, Readiness } from "../index.ts";
import { loggable } from "../telemetry/loggable.ts";

declare module "fastify" {
  interface FastifyInstance {
    readonly readiness: () => Promise<Readiness>;
  }
}

/** Whether questions can be answered. The log is told what keeps them from it, and why, once it is so and not each time it is asked. */
export function loggedReadiness(ragline: Ragline): () => Promise<Readiness> {
  let told: readonly string[] = [];
  return async () => {
    const causes = new Map<string, unknown>();
    const readiness = await ragline.ready({}, undefined, (line, cause) => causes.set(line, cause));
    const { ready, missing } = readiness;
    for (const line of missing.filter((one) => !told.includes(one))) {
      const err = loggable(causes.get(line), ragline.config.log.content);
      ragline.log.warn({ err }, `not ready: ${line}`);
    }
    if (ready && told.length > 0) ragline.log.info("ready");
    told = missing;
    return readiness;
  };
}
