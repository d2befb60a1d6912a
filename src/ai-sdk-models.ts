/**
 * The slice of the AI SDK's provider specification that is used: versions v2 (AI SDK 5), v3 (6) and v4 (7). Written out, so that
 * the package need not be installed; a test holds it against `@ai-sdk/provider`.
 */
interface AiSdkModel {
  readonly specificationVersion: string;
  readonly provider: string;
  readonly modelId: string;
}

export type AiSdkMessage =
  | { readonly role: "system"; readonly content: string }
  | { readonly role: "user" | "assistant"; readonly content: { readonly type: "text"; readonly text: string }[] };

export interface AiSdkLanguageModel extends AiSdkModel {
  doStream(options: {
    prompt: AiSdkMessage[];
    maxOutputTokens?: number;
    temperature?: number;
    abortSignal?: AbortSignal;
  }): PromiseLike<{ readonly stream: ReadableStream<{ readonly type: string }> }>;
}

export interface AiSdkEmbeddingModel extends AiSdkModel {
  readonly maxEmbeddingsPerCall: PromiseLike<number | undefined> | number | undefined;
  doEmbed(options: { values: string[]; abortSignal?: AbortSignal }): PromiseLike<{
    readonly embeddings: readonly (readonly number[])[];
    readonly usage?: { readonly tokens: number };
  }>;
}

export interface AiSdkRerankingModel extends AiSdkModel {
  doRerank(options: {
    documents: { type: "text"; values: string[] };
    query: string;
    topN?: number;
    abortSignal?: AbortSignal;
  }): PromiseLike<{ readonly ranking: readonly { readonly index: number; readonly relevanceScore: number }[] }>;
}

const VERSIONS = ["v2", "v3", "v4"];

/** Whether a value is a model of a version that is known, and has the method. */
export function isAiSdkModel(value: unknown, method: "doStream" | "doEmbed" | "doRerank"): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { specificationVersion, provider, modelId, [method]: call } = value as Record<string, unknown>;
  const isNamed = typeof provider === "string" && typeof modelId === "string";
  return isNamed && typeof call === "function" && VERSIONS.includes(String(specificationVersion));
}
