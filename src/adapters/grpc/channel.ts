import { readFileSync } from "node:fs";
import { RaglineError } from "../../errors.ts";
import type { StageName } from "../../wire/definitions.ts";
import { Client, credentials } from "../../wire/library.ts";

/** How the stages of one step are reached; the same for all its endpoints. */
export interface GrpcOptions {
  readonly step: StageName;
  /** `host:port` of each. */
  readonly endpoints: readonly string[];
  /** False, and no `caFile`: plain text. */
  readonly tls: boolean;
  /** PEM: the authority behind the stages' certificates. */
  readonly caFile?: string | undefined;
  /** PEM: what this process shows of itself, for stages that ask. */
  readonly certificateFile?: string | undefined;
  readonly keyFile?: string | undefined;
  /** The name in the stages' certificates, where it is not the one they are reached by. */
  readonly serverName?: string | undefined;
  readonly keepAliveMs: number;
  readonly reconnectMaxMs: number;
  readonly messageBytesMax: number;
}

const RECONNECT_FIRST_MS = 100;
/** A connection that does not answer a ping for so long is given up. */
const KEEP_ALIVE_TIMEOUT_MS = 5000;

/** @throws RaglineError `config_invalid`: a PEM file cannot be read, or a certificate comes without its key. */
export function openChannel(address: string, options: GrpcOptions): Client {
  const { tls, caFile, certificateFile, keyFile, serverName, step } = options;
  const pem = (field: string, file: string | undefined) =>
    file === undefined ? null : readPem(`${step}.${field}`, file);
  const [ca, key, certificate] = [
    pem("caFile", caFile),
    pem("keyFile", keyFile),
    pem("certificateFile", certificateFile),
  ];
  if ((certificate === null) !== (key === null)) {
    throw new RaglineError("config_invalid", `${step}: certificateFile and keyFile belong together`);
  }
  // Whoever says anything of TLS means it.
  const secure = tls || ca !== null || certificate !== null || serverName !== undefined;
  try {
    return new Client(address, secure ? credentials.createSsl(ca, key, certificate) : credentials.createInsecure(), {
      "grpc.keepalive_time_ms": options.keepAliveMs,
      "grpc.keepalive_timeout_ms": KEEP_ALIVE_TIMEOUT_MS,
      "grpc.keepalive_permit_without_calls": 1,
      "grpc.initial_reconnect_backoff_ms": RECONNECT_FIRST_MS,
      "grpc.max_reconnect_backoff_ms": options.reconnectMaxMs,
      "grpc.max_receive_message_length": options.messageBytesMax,
      "grpc.max_send_message_length": options.messageBytesMax,
      // `wrap/retried.ts` tries again.
      "grpc.enable_retries": 0,
      "grpc.service_config_disable_resolution": 1,
      "grpc.enable_http_proxy": 0,
      "grpc.use_local_subchannel_pool": 1,
      ...(serverName !== undefined && { "grpc.ssl_target_name_override": serverName }),
    });
  } catch (cause) {
    const message = `${step}.endpoints: ${address}: no connection can be set up: ${(cause as Error).message}`;
    throw new RaglineError("config_invalid", message, { cause });
  }
}

function readPem(field: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new RaglineError("config_invalid", `${field}: ${file} cannot be read`, { cause });
  }
}
