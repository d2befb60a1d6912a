import swagger from "@fastify/swagger";
import type { FastifyInstance } from "fastify";
import { jsonSchemaTransform } from "fastify-type-provider-zod";
import { ERRORS } from "../errors.ts";
import type { Config } from "../index.ts";

/** What a caller for others sends with each request. */
const SPEAKER_HEADERS = [
  ["x-ragline-tenant", "Whose request it is, in percent-encoding."],
  ["x-ragline-groups", "Its groups, in percent-encoding, parted by commas."],
  ["x-ragline-user", "Whose conversations are meant, in percent-encoding."],
].map(([name, description]) => ({ schema: { type: "string" }, in: "header", name, required: false, description }));

/** Collects the routes registered after it into the OpenAPI document. Where no key is needed `security` is empty. */
export async function registerOpenApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "Ragline", version, description: "Retrieval-augmented answers." },
      components: { schemas: { ErrorCode: { type: "string", enum: Object.keys(ERRORS) } } },
    },
    transform(input) {
      const { schema: described, url } = jsonSchemaTransform(input);
      const isOpen = input.route.config?.right === "none";
      const schema = { ...described, ...(isOpen && { security: [] }) };
      if (!url.endsWith("/*")) return { schema, url };
      return { schema: { ...schema, params: namedId(schema.params) }, url: `${url.slice(0, -1)}:id` };
    },
  });
}

interface Operation {
  readonly security?: unknown;
  readonly parameters?: readonly object[];
}

/** The document, with what these callers send. */
export function describeCallers(document: object, callers: Config["server"]["callers"]): object {
  if (!callers) return document;
  const { components, paths, ...rest } = document as {
    readonly components: object;
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  };
  const spoken = callers.some(({ forOthers }) => forOthers) ? SPEAKER_HEADERS : [];
  const withHeaders = (operation: Operation) =>
    operation.security || spoken.length === 0
      ? operation
      : { ...operation, parameters: [...(operation.parameters ?? []), ...spoken] };
  return {
    ...rest,
    components: { ...components, securitySchemes: { key: { type: "http", scheme: "bearer" } } },
    security: [{ key: [] }],
    paths: mapped(paths, (item) => mapped(item, withHeaders)),
  };
}

function mapped<T, U>(record: Readonly<Record<string, T>>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}

/** OpenAPI knows no wildcards: the rest of the path is the parameter `id`. */
function namedId(params: unknown): object {
  const { properties } = params as { readonly properties: Readonly<Record<string, unknown>> };
  return { type: "object", properties: { id: properties["*"] }, required: ["id"] };
}
