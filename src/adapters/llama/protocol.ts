import type { FinishReason, Message, Usage } from "../../types.ts";

/** What the model's process is started with. */
export interface LlamaSettings {
  /** Absolute path of the GGUF file. */
  readonly file: string;
  /** Of one sequence, prompt and answer together. */
  readonly contextTokensMax: number;
  /** Answers generated at once. */
  readonly sequences: number;
  readonly threads: number;
  /** 0: the likeliest token. */
  readonly temperature: number;
  /** Absent: another one each time. */
  readonly seed?: number | undefined;
}

export type ToLlama =
  | {
      readonly type: "generate";
      readonly id: number;
      readonly messages: readonly Message[];
      readonly maxOutputTokens: number;
    }
  | { readonly type: "cancel"; readonly id: number };

/** A generation is over, and its sequence free, with exactly one of these. */
export type LlamaOutcome =
  | { readonly type: "end"; readonly finishReason: FinishReason; readonly usage: Usage }
  | { readonly type: "too-large"; readonly promptTokens: number }
  | { readonly type: "failed"; readonly reason: string }
  | { readonly type: "cancelled" };

export type FromLlama =
  | { readonly type: "ready" }
  | { readonly type: "unusable"; readonly reason: string }
  | { readonly type: "text"; readonly id: number; readonly text: string }
  | { readonly type: "outcome"; readonly id: number; readonly outcome: LlamaOutcome };
