import { z } from "zod";
import { authorityFile } from "./authority.ts";

/** Where Redis is, for every block that keeps something in it. */
export const redisServer = {
  url: z
    .string()
    .regex(/^rediss?:\/\/./, "must begin with redis:// or rediss://")
    .default("redis://localhost:6379")
    .describe(
      "`redis://[user:password@]host[:port][/database]`, `rediss:` for TLS; several `host:port`, comma-separated, for Sentinel and Cluster.",
    ),
  topology: z
    .enum(["single", "sentinel", "cluster"])
    .default("single")
    .describe("What the URL's hosts are: one server, sentinels (port 26379 by default), or some nodes of a cluster."),
  sentinelMaster: z.string().min(1).default("mymaster").describe("What the sentinels call the master."),
  sentinelPassword: z
    .string()
    .min(1)
    .optional()
    .describe("Password of the sentinels themselves. Read it from the environment: `${NAME}`."),
  caFile: authorityFile("PEM file of the authority behind a `rediss:` server's certificate."),
};

export const redisKeyPrefix = (fallback: string) =>
  z
    .string()
    .max(64)
    .regex(/^[^{}\s]*$/, "must hold no braces and no blanks")
    .default(fallback)
    .describe("Begins every key.");

export const redisReplicas = {
  replicasMin: z
    .int()
    .min(0)
    .max(16)
    .default(0)
    .describe(
      "Replicas that must have a finished turn before it counts as saved (`WAIT`); with fewer it is stored all the same, and `degraded` says `save`. 0: what the master took last is lost with it.",
    ),
  replicasTimeoutMs: z
    .int()
    .min(1)
    .max(60_000)
    .default(300)
    .describe("Limit for that; `save.timeoutMs` holds for the whole of saving."),
};
