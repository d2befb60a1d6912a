/** When to come back to a process that is busy just now, and to a caller's turn. */
export const RETRY_AFTER_MS = 1_000;
