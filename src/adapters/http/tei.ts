import { z } from "zod";
import { RaglineError } from "../../errors.ts";
import type { CallOptions } from "../../types.ts";
import { Endpoint, type EndpointOptions, getJson, postJson, refusalOf } from "./post.ts";
import { reportServed } from "./served.ts";

/** What text-embeddings-inference serves, from `/info`. */
export interface TeiInfo {
  readonly modelId: string | null;
  /** Texts a call. */
  readonly batchTextsMax: number;
}

/** The server's own default, where it does not say. */
const UNKNOWN: TeiInfo = { modelId: null, batchTextsMax: 32 };

const infoSchema = z.object({
  model_id: z.string().nullable().catch(null),
  max_client_batch_size: z.int().min(1).catch(UNKNOWN.batchTextsMax),
});

export interface Tei {
  /** Asked once; again where the server could not be reached. @throws RaglineError `dependency_failed` */
  info(call: CallOptions): Promise<TeiInfo>;
  /** Posts JSON, reads JSON, and passes on how many tokens the server says it read, and how long it took. @throws RaglineError `dependency_failed` */
  post(body: unknown, call: CallOptions): Promise<unknown>;
}

/** One call of a text-embeddings-inference server, e.g. `/rerank`. `model`: what it must serve, where that can be told. */
export function createTei(
  options: EndpointOptions & { readonly path: string; readonly baseUrl: string; readonly model?: string },
): Tei {
  const about = Endpoint.under(options.baseUrl, "/info", options);
  const endpoint = Endpoint.under(options.baseUrl, options.path, options);
  let known: TeiInfo | null = null;

  async function ask({ signal }: CallOptions): Promise<TeiInfo> {
    try {
      const { model_id: modelId, max_client_batch_size: batchTextsMax } = infoSchema.parse(
        await getJson(about, signal),
      );
      return { modelId, batchTextsMax };
    } catch (thrown) {
      // Gateways often pass on nothing but the call itself.
      const status = refusalOf(thrown)?.status ?? 0;
      if ([401, 403, 404, 405, 501].includes(status) || thrown instanceof z.ZodError) return UNKNOWN;
      throw thrown;
    }
  }

  return {
    async info(call) {
      if (known) return known;
      const info = await ask(call);
      if (options.model && isAnother(info.modelId, options.model)) {
        const message = `The endpoint serves ${info.modelId}, but embed.model says ${options.model}.`;
        throw new RaglineError("dependency_failed", message, { retryable: false });
      }
      known = info;
      return info;
    },
    async post(body, call) {
      const { value, headers } = await postJson(endpoint, body, call.signal);
      const tokens = Number(headers["x-compute-tokens"]);
      if (Number.isSafeInteger(tokens) && tokens > 0) call.onTokens?.(tokens);
      reportServed(headers, call);
      return value;
    },
  };
}

/** A folder's name says nothing, and owners are often left out. */
function isAnother(served: string | null, wanted: string): boolean {
  if (!served || served.startsWith("/")) return false;
  const name = (id: string) => id.toLowerCase().split("/").at(-1);
  return name(served) !== name(wanted);
}
