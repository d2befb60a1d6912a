const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** Without a byte order mark; null: the bytes are no UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return UTF8.decode(bytes);
  } catch {
    return null;
  }
}
