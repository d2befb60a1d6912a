/** Milliseconds until it holds. */
export async function until(holds: () => Promise<boolean>, limitMs = 8_000): Promise<number> {
  const since = performance.now();
  while (!(await holds())) {
    if (performance.now() - since > limitMs) throw new Error("did not happen in time");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return performance.now() - since;
}
