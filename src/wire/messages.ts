/** The messages of `proto/ragline/v1` for the stages of models, as the loader has them. */

export interface DescribeResponse {
  readonly stage: string;
  readonly version: string;
  readonly model: string;
  readonly dimensions: number;
  readonly textTokensMax?: number;
  readonly remote: boolean;
  readonly contextTokensMax: number;
  readonly quotesOnly: boolean;
  readonly problem: string;
  readonly reembeds: boolean;
}

export interface EmbedRequest {
  readonly kind: "QUERY" | "PASSAGE";
  readonly texts: readonly string[];
}

export interface EmbedResponse {
  readonly model: string;
  readonly dimensions: number;
  readonly vectors: Uint8Array;
}

export interface RerankRequest {
  readonly query: string;
  readonly texts: readonly string[];
}

export interface RerankResponse {
  readonly model: string;
  readonly indices: readonly number[];
  readonly scores: readonly number[];
}
