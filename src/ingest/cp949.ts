/** CP949's added syllables by lead and trail byte. Node's `euc-kr`, unlike browsers', knows none of them. */
let added: ReadonlyMap<number, string> | undefined;

/**
 * EUC-KR with the syllables that CP949 adds: those that KS X 1001 lacks, in Unicode's order, over the free codes in theirs.
 * @throws TypeError for bytes that are neither.
 */
export function decodeCp949(bytes: Uint8Array): string {
  added ??= addedSyllables();
  const decoder = new TextDecoder("euc-kr", { fatal: true });
  const parts: string[] = [];
  let start = 0;
  for (let i = 0; i < bytes.length; i++) {
    const lead = bytes[i] as number;
    if (lead < 0x80) continue;
    const trail = bytes[++i] ?? 0;
    if (lead >= 0xa1 && trail >= 0xa1) continue;
    const syllable = added.get(lead * 256 + trail);
    if (syllable === undefined) throw new TypeError("not CP949");
    parts.push(decoder.decode(bytes.subarray(start, i - 1)), syllable);
    start = i + 1;
  }
  return [...parts, decoder.decode(bytes.subarray(start))].join("");
}

function addedSyllables(): ReadonlyMap<number, string> {
  const decoder = new TextDecoder("euc-kr");
  const standard = new Set<string>();
  for (let lead = 0xb0; lead <= 0xc8; lead++) {
    for (let trail = 0xa1; trail <= 0xfe; trail++) standard.add(decoder.decode(Uint8Array.of(lead, trail)));
  }
  const syllables = new Map<number, string>();
  let next = 0xac00;
  for (let lead = 0x81; lead <= 0xc6; lead++) {
    for (const trail of freeTrails(lead)) {
      while (standard.has(String.fromCharCode(next))) next++;
      if (next > 0xd7a3) return syllables;
      syllables.set(lead * 256 + trail, String.fromCharCode(next++));
    }
  }
  return syllables;
}

/** A to Z, a to z, and from 0x81 what KS X 1001 leaves. */
function freeTrails(lead: number): number[] {
  const ranges = [
    [0x41, 0x5a],
    [0x61, 0x7a],
    [0x81, lead < 0xa1 ? 0xfe : 0xa0],
  ] as const;
  return ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
}
