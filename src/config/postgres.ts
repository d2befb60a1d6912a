import { z } from "zod";
import { authorityFile } from "./authority.ts";
import { count, milliseconds } from "./fields.ts";

/** Where a PostgreSQL is, and how it is spoken to. */
export const postgresServer = {
  url: z
    .string()
    .regex(/^postgres(ql)?:\/\/./, "must begin with postgres://")
    .default("postgres://localhost:5432/ragline")
    .describe("`postgres://[user[:password]@]host[:port]/database`. Read it from the environment: `${NAME}`."),
  tls: z.boolean().default(false).describe("`true`: only over TLS, and only to a server whose certificate is trusted."),
  caFile: authorityFile("PEM file of the authority behind the server's certificate; means `tls` too."),
  schema: z
    .string()
    .max(48)
    .regex(/^[a-z_][a-z0-9_]*$/, "must be lower-case letters, digits and `_`")
    .default("ragline")
    .describe("Where Ragline makes its tables, when it first needs them."),
  connectionsMax: count(10, 1000, "Connections at once, and one more to cancel by; further calls wait."),
};

export const postgresIndex = {
  efSearch: z
    .int()
    .min(10)
    .max(1000)
    .default(100)
    .describe("pgvector's `hnsw.ef_search`: more finds more of the nearest, and takes longer."),
  rowSecurity: z
    .boolean()
    .default(true)
    .describe("`false`: also a role that row-level security does not hold for, such as a superuser."),
  writeTimeoutMs: milliseconds(60_000, "Limit for storing or deleting a document."),
};
