/** With 6 instead, first texts of 64 streams came no sooner than without a bound. */
const TURN_READS_MAX = 2;

const due: (() => void)[] = [];

/**
 * Begins reading of a paused response again, a few in a turn of the event loop, first come, first served: after a moment in which nothing
 * ran, hundreds would be due at once and hold up everybody who waits for a first text.
 */
export function readInTurn(read: () => void): void {
  if (due.push(read) === 1) setImmediate(nextTurn);
}

function nextTurn(): void {
  for (const read of due.splice(0, TURN_READS_MAX)) read();
  if (due.length > 0) setImmediate(nextTurn);
}
