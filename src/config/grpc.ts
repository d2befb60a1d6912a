import { z } from "zod";
import { authorityFile } from "./authority.ts";
import { milliseconds } from "./fields.ts";

const pemFile = (what: string) => z.string().min(1).optional().describe(what);
const messageBytesMax = z
  .int()
  .min(65_536)
  .max(1_073_741_824)
  .default(67_108_864)
  .describe("Largest message, in bytes, either way. A document travels in one, with its vectors.");
const keepAliveMs = milliseconds(30_000, "An idle connection is tried so often.");
const ADDRESS = /^(?:[^\s:[\]/]+|\[[0-9a-fA-F:.]+\]):\d{1,5}$/;

function hasPort(address: string): boolean {
  return !(Number(address.slice(address.lastIndexOf(":") + 1)) > 65_535);
}

/** How a stage that is served apart is reached. */
export const grpcClient = {
  endpoints: z
    .array(z.string().regex(ADDRESS, "must be host:port").refine(hasPort, "the port must be at most 65535"))
    .min(1)
    .max(64)
    .describe("`host:port` of every process that serves the stage; all must serve the same model."),
  tls: z
    .boolean()
    .default(false)
    .describe("Over TLS, with the authorities that Node knows. Each of the next four means it too."),
  caFile: authorityFile("PEM file of the authority behind the stages' certificates, where Node does not know it."),
  certificateFile: pemFile("PEM file of this process's certificate, for stages that ask for one."),
  keyFile: pemFile("PEM file of its key."),
  serverName: z
    .string()
    .min(1)
    .optional()
    .describe("The name in the stages' certificates, where it is not the host they are reached by."),
  keepAliveMs,
  reconnectMaxMs: milliseconds(1000, "Longest pause before a lost connection is tried again."),
  messageBytesMax,
};

/** `ragline stage`. */
export const stage = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .default("127.0.0.1")
      .describe("Address that `ragline stage` listens on. Other machines reach it with `0.0.0.0`."),
    port: z.int().min(0).max(65_535).default(50_051).describe("0: any free port."),
    certificateFile: pemFile("PEM file of the stage's certificate; with it and its key only TLS is spoken."),
    keyFile: pemFile("PEM file of its key."),
    clientCaFile: authorityFile("PEM file of an authority; callers must show a certificate of it (mutual TLS)."),
    messageBytesMax,
    drainMs: milliseconds(10_000, "Running calls get so long to end once the stage is told to stop."),
    keepAliveMs,
  })
  .refine(({ certificateFile, keyFile }) => (certificateFile === undefined) === (keyFile === undefined), {
    message: "certificateFile and keyFile belong together",
  })
  .refine(({ certificateFile, clientCaFile }) => clientCaFile === undefined || certificateFile !== undefined, {
    message: "clientCaFile needs certificateFile and keyFile",
  });
