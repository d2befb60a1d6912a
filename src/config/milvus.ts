import { z } from "zod";
import { authorityFile } from "./authority.ts";
import { count, token } from "./fields.ts";

/** `search: { use: milvus }`. */
export const milvusIndex = {
  url: z
    .string()
    .regex(
      /^https?:\/\/[^\s,/?#@]+\/?$/,
      "must be http[s]://host[:port]; a user is `username`, with `password`, a key `token`",
    )
    .default("http://localhost:19530")
    .describe("`http[s]://host[:port]`; `https:` speaks TLS."),
  username: z.string().min(1).optional().describe("Sent with every call, with `password`."),
  password: z.string().optional().describe("Read it from the environment: `${NAME}`."),
  token: token.min(1).optional().describe("Instead of both: an API key. Read it from the environment: `${NAME}`."),
  database: z.string().min(1).optional().describe("The database on the server. Absent: its default one."),
  caFile: authorityFile("PEM file of the authority behind an `https:` server's certificate."),
  prefix: z
    .string()
    .max(64)
    .regex(/^[a-z_][a-z0-9_]*$/, "must be lower-case letters, digits or `_`")
    .default("ragline")
    .describe("Begins the name of every collection of Milvus's."),
  shards: count(1, 16, "Of each new collection of Milvus's that holds passages."),
  consistency: z
    .enum(["session", "strong"])
    .default("session")
    .describe(
      "`session`: a process finds at once what it has written itself, and within seconds what others have; `strong`: that at once too, which costs every search some tenths of a second.",
    ),
};
