/** Scripts that tokenizers treat differently: plain A to Z with its spaces, Hangul, everything else. */
export const SCRIPTS = ["latin", "hangul", "other"] as const;
export type Script = (typeof SCRIPTS)[number];

/** Bytes in UTF-8 by script; a lone surrogate is 3 bytes. One pass, no allocation but the result. */
export function bytesByScript(text: string): Record<Script, number> {
  const bytes = { latin: 0, hangul: 0, other: 0 };
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x20 || (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a)) bytes.latin++;
    else if (code < 0x80) bytes.other++;
    else if ((code >= 0xac00 && code <= 0xd7a3) || (code >= 0x1100 && code <= 0x11ff)) bytes.hangul += 3;
    else if (code < 0x800) bytes.other += 2;
    // Half of a pair is 2 of its 4 bytes; a lone one 3.
    else if (code >= 0xd800 && code <= 0xdfff) bytes.other += isPaired(text, i, code) ? 2 : 3;
    else bytes.other += 3;
  }
  return bytes;
}

function isPaired(text: string, index: number, code: number): boolean {
  const other = code <= 0xdbff ? text.charCodeAt(index + 1) : text.charCodeAt(index - 1);
  return code <= 0xdbff ? other >= 0xdc00 && other <= 0xdfff : other >= 0xd800 && other <= 0xdbff;
}
