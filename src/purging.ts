/** Between two pieces of work; and once all is done, until it is looked again, at most. */
const PIECE_EVERY_MS = 250;
const AGAIN_MAX_MS = 600_000;

/** Deletes what is older than `ttlMs` in the background, a piece at a time. `piece` says whether more is left. @returns what stops it */
export function purging(ttlMs: number, piece: () => Promise<boolean>): () => void {
  const againMs = Math.min(AGAIN_MAX_MS, Math.max(PIECE_EVERY_MS, ttlMs / 4));
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  const next = (waitMs: number) => {
    if (stopped) return;
    timer = setTimeout(() => {
      piece().then(
        (isLeft) => next(isLeft ? PIECE_EVERY_MS : againMs),
        // The store is away, locked, full or read-only: whoever needs it is told so.
        () => next(againMs),
      );
    }, waitMs);
    timer.unref();
  };
  if (Number.isFinite(ttlMs)) next(againMs);
  return () => {
    stopped = true;
    if (timer) clearTimeout(timer);
  };
}
