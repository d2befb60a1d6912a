import swagger from "@fastify/swagger";
import type { FastifyInstance } from "fastify";
import { jsonSchemaTransform } from "fastify-type-provider-zod";
import { ERRORS } from "../errors.ts";
import type { Config } from "../index.ts";

/** What a caller for others sends with each request. */
const SPEAKER_HEADERS = {
  "x-ragline-tenant": { type: "string", description: "Whose request it is, in percent-encoding." },
  "x-ragline-groups": { type: "string", description: "Its groups, in percent-encoding, parted by commas." },
  "x-ragline-user": { type: "string", description: "Whose conversations are meant, in percent-encoding." },
};

/** Collects the routes registered after it into the OpenAPI document. */
export async function registerOpenApi(app: FastifyInstance, version: string, { server }: Config): Promise<void> {
  const hasCallers = server.callers !== undefined;
  const hasSpeakers = server.callers?.some(({ forOthers }) => forOthers);
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "Ragline", version, description: "Retrieval-augmented answers." },
      components: {
        schemas: { ErrorCode: { type: "string", enum: Object.keys(ERRORS) } },
        ...(hasCallers && { securitySchemes: { key: { type: "http", scheme: "bearer" } } }),
      },
      ...(hasCallers && { security: [{ key: [] }] }),
    },
    transform(input) {
      const { schema: described, url } = jsonSchemaTransform(input);
      const isOpen = input.route.config?.right === "none";
      const schema = {
        ...described,
        ...(hasCallers && isOpen && { security: [] }),
        ...(hasSpeakers && !isOpen && { headers: spoken(described.headers) }),
      };
      if (!url.endsWith("/*")) return { schema, url };
      return { schema: { ...schema, params: namedId(schema.params) }, url: `${url.slice(0, -1)}:id` };
    },
  });
}

function spoken(headers: unknown): object {
  const { properties, ...others } = (headers ?? { type: "object" }) as { readonly properties?: object };
  return { ...others, properties: { ...properties, ...SPEAKER_HEADERS } };
}

/** OpenAPI knows no wildcards: the rest of the path is the parameter `id`. */
function namedId(params: unknown): object {
  const { properties } = params as { readonly properties: Readonly<Record<string, unknown>> };
  return { type: "object", properties: { id: properties["*"] }, required: ["id"] };
}
