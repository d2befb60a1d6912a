import swagger from "@fastify/swagger";
import type { FastifyInstance } from "fastify";
import { jsonSchemaTransform } from "fastify-type-provider-zod";
import { ERRORS } from "../errors.ts";

/** Collects the routes registered after it into the OpenAPI document. */
export async function registerOpenApi(app: FastifyInstance, version: string, hasCallers: boolean): Promise<void> {
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
      const isOpen = hasCallers && input.route.config?.right === "none";
      const schema = isOpen ? { ...described, security: [] } : described;
      if (!url.endsWith("/*")) return { schema, url };
      return { schema: { ...schema, params: namedId(schema.params) }, url: `${url.slice(0, -1)}:id` };
    },
  });
}

/** OpenAPI knows no wildcards: the rest of the path is the parameter `id`. */
function namedId(params: unknown): object {
  const { properties } = params as { readonly properties: Readonly<Record<string, unknown>> };
  return { type: "object", properties: { id: properties["*"] }, required: ["id"] };
}
