import { write, writeSync } from "node:fs";

/** Bytes of lines that wait to be taken; further lines are lost. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024;
const WRITE_BYTES_MAX = 64 * 1024;
/** Until a full pipe or disk is tried again. */
const PAUSE_MS = 100;
/** What the end of the process waits for a full pipe. */
const ENDING_MS = 500;
/** Of these nothing more can be said: nobody reads any more. */
const GONE: ReadonlySet<string | undefined> = new Set(["EPIPE", "EIO", "EBADF"]);

/**
 * Lines for standard error, written beside the event loop. Who does not take them, a full disk or a reader that has stopped, holds up
 * neither requests nor the end of the process, and takes no more memory than `WAITING_BYTES_MAX`.
 */
class StandardError {
  #waiting: string[] = [];
  #waitingBytes = 0;
  #rest: Buffer | null = null;
  #isWriting = false;
  #isGone = false;
  #lost = 0;

  constructor() {
    process.on("exit", () => this.#end());
  }

  write(line: string): void {
    if (this.#isGone) return;
    const bytes = Buffer.byteLength(line);
    if (this.#waitingBytes + bytes > WAITING_BYTES_MAX) {
      this.#lost++;
      return;
    }
    this.#waiting.push(line);
    this.#waitingBytes += bytes;
    if (!this.#isWriting) this.#write();
  }

  #next(): Buffer | null {
    if (this.#rest) return this.#rest;
    let bytes = 0;
    let count = 0;
    for (const line of this.#waiting) {
      if (count > 0 && bytes + line.length > WRITE_BYTES_MAX) break;
      bytes += line.length;
      count++;
    }
    if (count > 0) return Buffer.from(this.#waiting.splice(0, count).join(""));
    if (this.#lost === 0) return null;
    const msg = `${this.#lost} lines of the log are lost: they were not taken, and too many waited`;
    this.#lost = 0;
    const line = Buffer.from(`${JSON.stringify({ level: 40, time: Date.now(), pid: process.pid, msg })}\n`);
    this.#waitingBytes += line.length;
    return line;
  }

  #write(): void {
    const bytes = this.#next();
    this.#rest = null;
    this.#isWriting = bytes !== null;
    if (bytes) write(2, bytes, (error, count) => this.#written(bytes, error, count));
  }

  #written(bytes: Buffer, error: NodeJS.ErrnoException | null, count: number): void {
    if (GONE.has(error?.code)) {
      this.#isGone = true;
      this.#waiting = [];
    } else if (error) {
      this.#rest = bytes;
      setTimeout(() => this.#write(), PAUSE_MS).unref();
    } else {
      this.#took(bytes, count);
      this.#write();
    }
  }

  #took(bytes: Buffer, count: number): void {
    this.#waitingBytes -= count;
    this.#rest = count < bytes.length ? bytes.subarray(count) : null;
  }

  /** What still waits is written as far as it is taken. */
  #end(): void {
    const deadline = performance.now() + ENDING_MS;
    for (let bytes = this.#next(); bytes && !this.#isGone; bytes = this.#next()) {
      try {
        this.#took(bytes, writeSync(2, bytes));
      } catch (thrown) {
        this.#rest = bytes;
        const isFull = (thrown as NodeJS.ErrnoException).code === "EAGAIN";
        if (!isFull || performance.now() > deadline) return;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
      }
    }
  }
}

/** The process's own: there is one standard error, however many write to it. */
export const standardError: { write(line: string): void } = new StandardError();
