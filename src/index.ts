import { type Logger, pino } from "pino";
import { compose } from "./compose.ts";
import { type Config, type ConfigInput, parseConfig } from "./config.ts";
import { Ragline } from "./ragline.ts";

export type * from "./api.ts";
export { type Config, type ConfigInput, loadConfig, parseConfig } from "./config.ts";
export { ERRORS, type ErrorCode, RaglineError } from "./errors.ts";
export type { IngestProgress, IngestReport } from "./ingest/ingest.ts";
export { Ragline, VERSION } from "./ragline.ts";
export type { AskRequest, DocumentInput, DocumentListRequest, SearchRequest } from "./requests.ts";
export type * from "./types.ts";
export type { WholeAnswer } from "./whole-answer.ts";

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
export async function createRagline(input: ConfigInput | Config = {}, log?: Logger): Promise<Ragline> {
  const config = parseConfig(input);
  const { stages, close } = await compose(config);
  return new Ragline(config, stages, close, log ?? pino({ level: config.log.level }, pino.destination(2)));
}
