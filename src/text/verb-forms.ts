/** Syllables of Hangul in Unicode: from `가` on, by initial, vowel and final. */
const FIRST = 0xac00;
const LAST = 0xd7a3;
const FINALS = 28;
const VOWELS = 21;
/** Finals by their place: of 바꾼, 바꿀, 바꿈, 바꿉 and 바꿨. */
const [NONE, N, L, M, B, PAST] = [0, 4, 8, 16, 17, 20];
/** How the last vowel of a stem and 어 or 아 become one, by their places: ㅜ ㅝ, ㅗ ㅘ, ㅣ ㅕ, ㅚ ㅙ, ㅡ ㅓ. */
const CONTRACTED: readonly (readonly [stem: number, contracted: number])[] = [
  [13, 14],
  [8, 9],
  [20, 6],
  [11, 10],
  [18, 4],
];

/**
 * The other forms that the last syllable of a verb may have, whichever it has: of 꾸, 꿔, 꿀 and 꿨 alike 꾸, 꾼, 꿀, 꿈, 꿉, 꿔 and 꿨.
 * Empty where none is known: 찾다 is 찾 in all of them.
 */
export function verbForms(syllable: string): string[] {
  const code = syllable.charCodeAt(0);
  if (!(code >= FIRST && code <= LAST)) return [];
  const final = (code - FIRST) % FINALS;
  if (![NONE, N, L, B, PAST].includes(final)) return [];
  const initial = Math.floor((code - FIRST) / FINALS / VOWELS);
  const vowel = Math.floor((code - FIRST) / FINALS) % VOWELS;
  const stems = new Set([vowel]);
  if (final === NONE || final === PAST)
    for (const [stem, contracted] of CONTRACTED) if (contracted === vowel) stems.add(stem);
  const of = (v: number, f: number) => String.fromCharCode(FIRST + (initial * VOWELS + v) * FINALS + f);
  const forms = [...stems].flatMap((stem) => {
    const joined = CONTRACTED.flatMap(([own, contracted]) => (own === stem ? [contracted] : []));
    return [
      ...[NONE, N, L, M, B, PAST].map((f) => of(stem, f)),
      ...joined.flatMap((contracted) => [of(contracted, NONE), of(contracted, PAST)]),
    ];
  });
  return [...new Set(forms)].filter((form) => form !== syllable);
}
