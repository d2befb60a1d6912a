import { z } from "zod";
import { authorityFile } from "./authority.ts";
import { count } from "./fields.ts";

const URLS = /^https?:\/\/[^\s,/?#@]+(?:,\s*https?:\/\/[^\s,/?#@]+)*$/;

/** `search: { use: opensearch }`. */
export const openSearchIndex = {
  url: z
    .string()
    .regex(URLS, "must be http[s]://host[:port], several comma-separated; a user is `username`, with `password`")
    .default("http://localhost:9200")
    .describe("`http[s]://host[:port]`; several, comma-separated, for the nodes of one cluster."),
  username: z.string().min(1).optional().describe("Sent with every request, with `password`."),
  password: z.string().optional().describe("Read it from the environment: `${NAME}`."),
  caFile: authorityFile("PEM file of the authority behind an `https:` node's certificate."),
  prefix: z
    .string()
    .max(64)
    .regex(/^[a-z0-9][a-z0-9_-]*$/, "must be lower-case letters, digits, `_` or `-`")
    .default("ragline")
    .describe("Begins every index's name."),
  shards: count(1, 64, "Of each new collection's index. A collection is an index of its own."),
  replicas: z.int().min(0).max(16).default(1).describe("Copies of each new index on further nodes."),
};
