import { Transform } from "node:stream";
import type { FastifyInstance } from "fastify";
import { RaglineError, RETRY_AFTER_MS } from "../errors.ts";
import { whenOver } from "./over.ts";

/** What brings a document. */
const BRINGING = ["POST", "PUT"];

/** Documents that are being received and read are held in memory: only so many bytes of them at once, counted as they come. */
export function boundUploads(app: FastifyInstance, bytesMax: number): void {
  let held = 0;
  app.addHook("preParsing", (request, reply, payload, done) => {
    if (!BRINGING.includes(request.method)) {
      done(null, payload);
      return;
    }
    if (held >= bytesMax) {
      done(tooMany());
      return;
    }
    let mine = 0;
    let isOver = false;
    const counted = new Transform({
      transform(chunk: Buffer, _encoding, next) {
        const size = isOver ? 0 : chunk.length;
        mine += size;
        held += size;
        if (held > bytesMax) next(tooMany());
        else next(null, chunk);
      },
    });
    whenOver(request, reply, () => {
      isOver = true;
      held -= mine;
    });
    // What is refused is read to its end all the same, so that its client reads why.
    counted.once("error", () => payload.resume());
    payload.once("error", (error) => counted.destroy(error));
    done(null, payload.pipe(counted));
  });
}

function tooMany(): RaglineError {
  const message = "Too many documents are being received and read: try again in a moment.";
  return new RaglineError("overloaded", message, { retryAfterMs: RETRY_AFTER_MS });
}
