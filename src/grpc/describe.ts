import { VERSION } from "../version.ts";
import type { DescribeResponse } from "../wire/messages.ts";
import type { ServedStage } from "./serve.ts";

const NOTHING = {
  dimensions: 0,
  remote: false,
  contextTokensMax: 0,
  quotesOnly: false,
  problem: "",
  reembeds: false,
} as const;

/** What callers need to know of a port besides its calls. */
export async function describeStage(served: ServedStage): Promise<DescribeResponse> {
  const common = { ...NOTHING, stage: served.stage, version: VERSION };
  switch (served.stage) {
    case "embed": {
      const { model, dimensions, textTokensMax, remote } = served.port;
      return {
        ...common,
        model,
        dimensions,
        ...tokensMax(textTokensMax),
        remote: remote ?? false,
        ...problemOf(served),
      };
    }
    case "rerank": {
      const { model, textTokensMax } = served.port;
      return { ...common, model, ...tokensMax(textTokensMax), ...problemOf(served) };
    }
    case "generate": {
      const { model, contextTokensMax, quotesOnly } = served.port;
      return { ...common, model, contextTokensMax, quotesOnly: quotesOnly ?? false, ...problemOf(served) };
    }
    case "search":
      return { ...common, model: served.use, reembeds: (await served.port(null)).reembedding !== undefined };
  }
}

/** What keeps it from answering now; null: nothing. */
export function stageProblem(served: ServedStage): string | null {
  switch (served.stage) {
    case "embed":
    case "rerank":
      return served.port.problem?.() ?? null;
    case "generate":
      return served.port.missing?.() ?? null;
    case "search":
      return null;
  }
}

function problemOf(served: ServedStage): { readonly problem: string } {
  return { problem: stageProblem(served) ?? "" };
}

function tokensMax(textTokensMax: number | undefined) {
  return textTokensMax === undefined ? {} : { textTokensMax };
}
