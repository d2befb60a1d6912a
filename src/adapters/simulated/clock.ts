/** Resolves at `due`, by `performance.now()`, never before it; as a rule less than a millisecond after it. */
export async function reach(due: number, signal: AbortSignal): Promise<void> {
  while (true) {
    signal.throwIfAborted();
    const leftMs = due - performance.now();
    if (leftMs <= 0) return;
    await pause(Math.ceil(leftMs), signal);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", aborted, { once: true });
    function done(): void {
      signal.removeEventListener("abort", aborted);
      resolve();
    }
    function aborted(): void {
      clearTimeout(timer);
      reject(signal.reason);
    }
  });
}
