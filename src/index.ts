import type { Logger } from "pino";
import { compose } from "./compose.ts";
import { type Config, type ConfigInput, parseConfig } from "./config.ts";
import { Ragline } from "./ragline.ts";
import { loggable } from "./telemetry/loggable.ts";
import { createLogger } from "./telemetry/logger.ts";
import { openTracing } from "./telemetry/open-tracing.ts";
import { createRedaction } from "./telemetry/redaction.ts";
import { requestIdOf } from "./turn-key.ts";
import { VERSION } from "./version.ts";

export type * from "./api.ts";
export { type Config, type ConfigInput, loadConfig, parseConfig } from "./config.ts";
export { ERRORS, type ErrorCode, RaglineError } from "./errors.ts";
export type { IngestProgress, IngestReport } from "./ingest/ingest.ts";
export type { ReindexProgress, ReindexReport } from "./ingest/reindex.ts";
export { Ragline } from "./ragline.ts";
export type {
  AskRequest,
  DocumentInput,
  DocumentListRequest,
  EraseRequest,
  FileInput,
  SearchRequest,
} from "./requests.ts";
export type * from "./types.ts";
export { VERSION } from "./version.ts";
export type { WholeAnswer } from "./whole-answer.ts";

export interface CreateOptions {
  /** Default: lines of JSON on standard error. */
  readonly log?: Logger;
  /** False: the index and a local model are loaded by the first question, not at once. */
  readonly warm?: boolean;
}

/**
 * A Ragline in this process. Close it when done.
 * @throws RaglineError `config_invalid` with every problem of the configuration.
 *
 * ```ts
 * const ragline = await createRagline();
 * await ragline.index(["docs"]);
 * for await (const event of ragline.ask({ question: "How many days of leave do I have?" })) console.log(event);
 * await ragline.close();
 * ```
 */
export async function createRagline(input: ConfigInput | Config = {}, options: CreateOptions = {}): Promise<Ragline> {
  const config = parseConfig(input);
  const log = options.log ?? createLogger(config.log.level, createRedaction(config));
  const tracing = await openTracing(config.telemetry, VERSION, log);
  const composition = compose(config, tracing?.tracer, ({ requestId }, { code, message, cause }, of) => {
    const err = loggable(cause, config.log.content);
    log.warn({ requestId: requestIdOf(requestId), ...of, step: "save", code, err }, `a turn is lost: ${message}`);
  });
  const { stages, ...composed } = await composition.catch(async (thrown: unknown) => {
    await tracing?.close().catch(() => undefined);
    throw thrown;
  });
  const ragline = new Ragline(config, stages, composed, log, tracing);
  try {
    if (options.warm ?? true) await ragline.warm();
    return ragline;
  } catch (thrown) {
    // What keeps it from starting may keep it from closing too.
    await ragline.close().catch(() => undefined);
    throw thrown;
  }
}
