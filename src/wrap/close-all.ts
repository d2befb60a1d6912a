export interface Part {
  close?(): Promise<void>;
}

/** One after another. @throws what the first failed with, once all others are closed */
export async function closeAll(parts: readonly Part[]): Promise<void> {
  const failures: unknown[] = [];
  for (const part of parts) {
    try {
      await part.close?.();
    } catch (thrown) {
      failures.push(thrown);
    }
  }
  if (failures.length > 0) throw failures[0];
}
