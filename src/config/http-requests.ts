import { z } from "zod";

/** What calls say themselves. */
const OWN_HEADERS =
  /^(?:accept-encoding|connection|content-(?:encoding|length|type)|expect|host|keep-alive|te|trailer|trace(?:parent|state)|transfer-encoding|upgrade)$/i;

export const requestHeaders = z
  .record(z.string(), z.string().regex(/^[ -~]*$/, "must be printable ASCII, without line ends"))
  .superRefine((headers, context) => {
    const refuse = (name: string, message: string) => context.addIssue({ code: "custom", path: [name], message });
    for (const name of Object.keys(headers)) {
      if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) refuse(name, "no header can have this name");
      else if (OWN_HEADERS.test(name)) refuse(name, "calls have their own");
    }
  })
  .optional()
  .describe('Sent with each call beside `apiKey`, e.g. a gateway\'s key: `{ x-api-key: "${NAME}" }`.');

/** Fields of a request's JSON. @param own those that calls have themselves, or whose answers could not be read */
const body = (own: RegExp, about: string) =>
  z
    .record(z.string(), z.json())
    .superRefine((body, context) => {
      for (const name of Object.keys(body).filter((name) => own.test(name))) {
        const message = "calls have their own, or could not be read with it";
        context.addIssue({ code: "custom", path: [name], message });
      }
    })
    .optional()
    .describe(about);

export const generateBody = body(
  /^(?:model|messages|stream|stream_options|max_tokens|max_completion_tokens|temperature|n|tools|tool_choice|functions|function_call|logprobs)$/,
  "Further fields of each request, as the endpoint knows them. Against a reasoning model's thinking: `{ reasoning_effort: none }` (OpenAI, Ollama), `{ chat_template_kwargs: { enable_thinking: false } }` (vLLM, SGLang; Qwen3).",
);

const embedBody = (about: string) => body(/^(?:model|input|encoding_format)$/, about);

/** Where one of these changes, vectors do: documents must be embedded again. */
export const embedBodies = {
  body: embedBody("Further fields of each request, e.g. `{ dimensions: 1024 }` for shorter vectors of OpenAI's."),
  queryBody: embedBody("Further fields for questions alone, e.g. `{ input_type: query }` (Voyage, NVIDIA)."),
  passageBody: embedBody(
    "Further fields for passages alone, e.g. `{ input_type: document }` (Voyage), `{ input_type: passage }` (NVIDIA).",
  ),
};
