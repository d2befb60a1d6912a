import { once } from "node:events";
import type { Logger } from "pino";
import { toRaglineError } from "../errors.ts";
import type { TracedCall, Traces } from "../telemetry/traces.ts";
import type { CallOptions } from "../types.ts";
import type {
  handleServerStreamingCall,
  handleUnaryCall,
  ServerUnaryCall,
  ServerWritableStream,
} from "../wire/library.ts";
import type { Gate } from "./gate.ts";
import { StageCall } from "./stage-call.ts";
import { TimeLeft } from "./time-left.ts";

type Received = Pick<ServerUnaryCall<object, object>, "getPath" | "metadata">;
export type Handler = handleUnaryCall<object, object> | handleServerStreamingCall<object, object>;

/** What every call of a stage goes through. */
export interface Serving {
  readonly gate: Gate;
  readonly log: Logger;
  /** Absent: calls are not traced. */
  readonly traces?: Traces | null | undefined;
}

function beginTrace({ traces }: Serving, received: Received): TracedCall | undefined {
  return traces?.call(received.getPath(), received.metadata.getMap());
}

/** `sizeOf`: how much there is to do, in units that calls of this method can be compared by. */
export function unary<Q extends object, R extends object>(
  serving: Serving,
  run: (request: Q, call: CallOptions) => Promise<R>,
  sizeOf: (request: Q) => number = () => 1,
): handleUnaryCall<object, object> {
  const { gate, log } = serving;
  const timeLeft = new TimeLeft();
  return (received, respond) => {
    const call = new StageCall(received);
    const request = received.request as Q;
    const work = async () => {
      gate.enter(call);
      const size = sizeOf(request);
      timeLeft.check(size, call.leftMs());
      const response = await run(request, call);
      timeLeft.took(size, call.elapsedMs());
      return response;
    };
    const traced = beginTrace(serving, received);
    (traced ? traced.within(work) : work())
      .then(
        (response) => {
          traced?.end(null);
          respond(null, response, call.trailers());
        },
        (thrown: unknown) => {
          traced?.end(toRaglineError(thrown).code);
          if (gate.has(call)) noteFailure(log, thrown, received.getPath(), call.signal);
          respond(call.failure(call.signal.aborted ? call.signal.reason : thrown));
        },
      )
      .finally(() => gate.leave(call));
  };
}

/** The time left is that to the first item. An item waits until the one before has left. */
export function serverStream<Q extends object, R extends object>(
  serving: Serving,
  open: (request: Q, call: CallOptions) => AsyncIterable<R>,
): handleServerStreamingCall<object, object> {
  const { gate, log } = serving;
  const timeLeft = new TimeLeft();
  return (received) => {
    const call = new StageCall(received);
    const work = async () => {
      gate.enter(call);
      timeLeft.check(1, call.leftMs());
      let isFirst = true;
      for await (const item of open(received.request as Q, call)) {
        if (isFirst) timeLeft.took(1, call.elapsedMs());
        isFirst = false;
        call.signal.throwIfAborted();
        await write(received, item, call.signal);
      }
    };
    const traced = beginTrace(serving, received);
    (traced ? traced.within(work) : work())
      .then(
        () => {
          traced?.end(null);
          received.end(call.trailers());
        },
        (thrown: unknown) => {
          traced?.end(toRaglineError(thrown).code);
          if (gate.has(call)) noteFailure(log, thrown, received.getPath(), call.signal);
          received.emit("error", call.failure(call.signal.aborted ? call.signal.reason : thrown));
        },
      )
      .finally(() => gate.leave(call));
  };
}

async function write(to: ServerWritableStream<object, object>, item: object, signal: AbortSignal): Promise<void> {
  if (!to.write(item)) await once(to, "drain", { signal });
}

/** Its caller gets it too, without the cause; who left asks for nothing. */
function noteFailure(log: Logger, thrown: unknown, method: string, signal: AbortSignal): void {
  const error = toRaglineError(thrown);
  if (error.status < 500 || signal.aborted) return;
  log.warn({ method, code: error.code, step: error.step, err: error.cause }, error.message);
}
