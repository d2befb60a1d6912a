import { availableParallelism } from "node:os";
import type { ScanPart, ScanPlan, ScanResult, SegmentArrays } from "./scan.ts";
import { Thread } from "./thread.ts";
import { DESKS } from "./vectors.ts";

export interface ScanRequest {
  readonly id: number;
  readonly plan: Omit<ScanPlan, "parts">;
  readonly parts: readonly (Omit<ScanPart, "arrays"> & { readonly segment: number })[];
  /** Segments that the thread does not know yet; and those that nothing will ask for again. */
  readonly added: readonly { readonly segment: number; readonly arrays: SegmentArrays }[];
  readonly forgotten: readonly number[];
}

export interface ScanReply {
  readonly id: number;
  readonly result: ScanResult;
}

/** A thread that holds on to more memory of segments that are gone is ended: its own heap is too quiet to be collected soon. */
const GONE_BYTES_MAX = 32 * 1024 * 1024;

/**
 * Nanoseconds that reading a posting, a float32 and an int8 take, as measured on one core of 2.5 GHz with data beyond its caches; a posting
 * about a third of that in a long query, whose common terms are only looked into.
 */
const POSTING_NS = 3;
const FLOAT_NS = 0.07;
const BYTE_NS = 0.045;
/** A float32 in a plain loop. */
const PLAIN_NS = 0.6;

/** About how long a plan takes, milliseconds. */
export function estimatedMs({ parts, vector }: ScanPlan): number {
  let ns = 0;
  for (const { arrays, places } of parts) {
    const { vectors, postings, rows } = arrays;
    for (const place of places) {
      if (place >= 0) ns += POSTING_NS * ((postings.ends[place] as number) - (postings.starts[place] as number));
    }
    if (vector && vectors) {
      const each = vectors.bytes ? BYTE_NS : vectors.memory ? FLOAT_NS : PLAIN_NS;
      ns += rows.length * vectors.stride * each;
    }
  }
  return ns / 1e6;
}

/**
 * Threads that carry out plans too long for the event loop, over the very memory that this thread searches: nothing but the
 * plan is copied. A thread that dies takes no search down: its plans are carried out here.
 */
export class ScanPool {
  readonly #scanHere: (plan: ScanPlan) => ScanResult;
  readonly #threads: (ScanThread | null)[];

  constructor(scanHere: (plan: ScanPlan) => ScanResult) {
    this.#scanHere = scanHere;
    const size = Math.min(DESKS - 1, Math.max(1, availableParallelism() - 1));
    this.#threads = Array.from({ length: size }, () => null);
  }

  scan(plan: ScanPlan): Promise<ScanResult> {
    const place = this.#leastBusy();
    let thread = this.#threads[place] ?? null;
    if (thread?.isHoarding) {
      thread.end().catch(() => undefined);
      thread = null;
    }
    if (!thread) {
      const started = new ScanThread(place + 1, () => {
        if (this.#threads[place] === started) this.#threads[place] = null;
      });
      thread = started;
      this.#threads[place] = started;
    }
    return thread.scan(plan, this.#scanHere);
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread?.end()));
  }

  #leastBusy(): number {
    let best = 0;
    for (const [place, thread] of this.#threads.entries()) {
      if ((thread?.waiting ?? 0) < (this.#threads[best]?.waiting ?? 0)) best = place;
    }
    return best;
  }
}

class ScanThread {
  readonly #thread: Thread<ScanRequest, ScanReply>;
  readonly #numbers = new WeakMap<SegmentArrays, number>();
  readonly #forgotten: number[] = [];
  readonly #registry = new FinalizationRegistry<{ segment: number; bytes: number }>(({ segment, bytes }) => {
    this.#forgotten.push(segment);
    this.#goneBytes += bytes;
  });
  #lastSegment = 0;
  #goneBytes = 0;

  constructor(thread: number, onEnd: () => void) {
    this.#thread = new Thread(new URL("./scan-thread", import.meta.url), onEnd, { thread });
  }

  get waiting(): number {
    return this.#thread.waiting;
  }

  /** Idle, and keeps much of what is gone: another would be smaller. */
  get isHoarding(): boolean {
    return this.waiting === 0 && this.#goneBytes > GONE_BYTES_MAX;
  }

  async scan(whole: ScanPlan, scanHere: (plan: ScanPlan) => ScanResult): Promise<ScanResult> {
    const reply = await this.#thread.ask((id) => this.#request(id, whole));
    return reply ? reply.result : scanHere(whole);
  }

  end(): Promise<void> {
    return this.#thread.end();
  }

  #request(id: number, { parts, ...plan }: ScanPlan): ScanRequest {
    const added: { segment: number; arrays: SegmentArrays }[] = [];
    const numbered = parts.map(({ arrays, ...part }) => {
      let segment = this.#numbers.get(arrays);
      if (segment === undefined) {
        segment = ++this.#lastSegment;
        this.#numbers.set(arrays, segment);
        this.#registry.register(arrays, { segment, bytes: arrays.vectors?.memory?.buffer.byteLength ?? 0 });
        added.push({ segment, arrays });
      }
      return { ...part, segment };
    });
    return { id, plan, parts: numbered, added, forgotten: this.#forgotten.splice(0) };
  }
}
