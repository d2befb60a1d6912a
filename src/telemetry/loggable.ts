/**
 * A failure's cause as the log may have it. What an upstream wrote may quote what it was sent: unless the log has content, its status
 * and its code are all of it.
 */
export function loggable(cause: unknown, hasContent: boolean): unknown {
  if (hasContent || !(cause instanceof Error) || !("reason" in cause)) return cause;
  const { name, reason, status } = cause as Error & { readonly reason: unknown; readonly status?: unknown };
  return { type: name, status, code: codeOf(String(reason)) };
}

/** The short words by which upstreams name an error: OpenAI's and its like, text-embeddings-inference. */
function codeOf(reason: string): string | undefined {
  try {
    const { error, code, type, error_type: teiType } = JSON.parse(reason) ?? {};
    const words = [error?.code, error?.type, code, type, teiType].map(String);
    return words.find((word) => /^[\w.-]{1,64}$/.test(word) && word !== "undefined" && word !== "null");
  } catch {
    return undefined;
  }
}
