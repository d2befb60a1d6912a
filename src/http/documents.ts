import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { RaglineError } from "../errors.ts";
import type { FileInput, Ragline } from "../index.ts";
import { addedSchema, deletedSchema, documentPageSchema, documentSchema, errorResponses } from "./responses.ts";
import { clientSignal } from "./sse.ts";
import type { ZodRequests } from "./type-provider.ts";
import { boundUploads } from "./uploads.ts";

/** `/v1/documents`: list, add or replace, read, delete. Ids may hold slashes, raw or as `%2F`. */
export function registerDocuments(routes: FastifyInstance, ragline: Ragline): void {
  const { document, list, documentId, collection } = ragline.schemas;
  boundUploads(routes, ragline.config.server.uploadBytesMax);
  const typed = routes.withTypeProvider<ZodRequests>();
  const byId = { params: z.object({ "*": documentId }), querystring: z.strictObject({ collection }) };

  typed.get(
    "/v1/documents",
    {
      schema: {
        summary: "List documents; a page has at most 8 MiB, one document at least.",
        querystring: list,
        response: { 200: documentPageSchema, ...errorResponses },
      },
    },
    (request) => ragline.listDocuments(request.query, request.caller ?? {}),
  );

  typed.post(
    "/v1/documents",
    {
      config: { right: "write" },
      schema: {
        summary: "Add or replace a document.",
        body: document,
        response: { 200: addedSchema, ...errorResponses },
      },
    },
    (request, reply) => ragline.addDocument(request.body, { signal: clientSignal(request, reply), ...request.caller }),
  );

  registerUpload(typed, ragline);

  typed.get(
    "/v1/documents/*",
    { schema: { summary: "Read a document's entry.", ...byId, response: { 200: documentSchema, ...errorResponses } } },
    async (request) => {
      const id = request.params["*"];
      const found = await ragline.findDocument(id, request.query.collection, request.caller ?? {});
      return found ?? missing(id);
    },
  );

  typed.delete(
    "/v1/documents/*",
    {
      config: { right: "write" },
      schema: { summary: "Delete a document.", ...byId, response: { 200: deletedSchema, ...errorResponses } },
    },
    async (request) => {
      const id = request.params["*"];
      const caller = request.caller ?? {};
      return (await ragline.deleteDocument(id, request.query.collection, caller))
        ? { deleted: true as const }
        : missing(id);
    },
  );
}

/** What a file is, by its `content-type`. */
const FORMATS = {
  "application/pdf": "pdf",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
  "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
  "application/vnd.hancom.hwp": "hwp",
  "application/x-hwp": "hwp",
  "application/haansofthwp": "hwp",
  "application/vnd.hancom.hwpx": "hwpx",
  "application/hwp+zip": "hwpx",
  "text/html": "html",
  "text/markdown": "markdown",
  "text/plain": "text",
} as const;

/** `PUT /v1/documents/<id>`: the body is the file. */
function registerUpload(routes: FastifyInstance, ragline: Ragline): void {
  const { documentId, file } = ragline.schemas;
  const { title, url, collection } = file.shape;
  const querystring = z.strictObject({
    title,
    url,
    collection,
    group: z
      .union([z.string(), z.array(z.string())])
      .optional()
      .describe("A group that may read it; may be repeated."),
    metadata: z.string().optional().describe('A JSON object, e.g. `{"year":2024}`.'),
  });
  const bodyLimit = ragline.config.server.fileBytesMax;
  void routes.register(async (apart) => {
    apart.addContentTypeParser(Object.keys(FORMATS), { parseAs: "buffer", bodyLimit }, (_request, body, done) => {
      done(null, body);
    });
    apart.withTypeProvider<ZodRequests>().put(
      "/v1/documents/*",
      {
        bodyLimit,
        config: { right: "write" },
        schema: {
          summary:
            "Add or replace a document that is a file: the body is a PDF, DOCX, PPTX, XLSX, HWP, HWPX, HTML, Markdown or text, as `content-type` says.",
          consumes: Object.keys(FORMATS),
          params: z.object({ "*": documentId }),
          querystring,
          response: { 200: addedSchema, ...errorResponses },
        },
      },
      (request, reply) => {
        const [type = ""] = (request.headers["content-type"] ?? "").split(";");
        const format = FORMATS[type.trim().toLowerCase() as keyof typeof FORMATS];
        if (!format || !Buffer.isBuffer(request.body)) {
          const types = Object.keys(FORMATS).join(", ");
          throw new RaglineError("request_invalid", `content-type: must be one of ${types}`);
        }
        const { group, metadata, ...named } = request.query;
        const fields = {
          ...named,
          id: request.params["*"],
          format,
          ...(group !== undefined && { groups: [group].flat() }),
          ...(metadata !== undefined && { metadata: parseMetadata(metadata) }),
        };
        return ragline.addFile(request.body, fields, { signal: clientSignal(request, reply), ...request.caller });
      },
    );
  });
}

/** Its fields are checked with the document's others. */
function parseMetadata(text: string): NonNullable<FileInput["metadata"]> {
  let metadata: NonNullable<FileInput["metadata"]>;
  try {
    metadata = JSON.parse(text);
  } catch {
    throw new RaglineError("request_invalid", "metadata: must be a JSON object");
  }
  // The schema does not see this one.
  if (metadata !== null && Object.hasOwn(metadata, "__proto__")) {
    throw new RaglineError("request_invalid", "metadata.__proto__: is a reserved name");
  }
  return metadata;
}

function missing(id: string): never {
  throw new RaglineError("not_found", `id: there is no document ${JSON.stringify(id)}`);
}
