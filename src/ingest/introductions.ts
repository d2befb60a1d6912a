/** Of a line or sentence: that a list, a table or the like stands behind it. */
const INTRODUCES =
  /[:：]$|(?:^|\s)(?:다음|아래)(?:[과와의]?\s|\s?각\s)[^\n]{0,100}[다음함임]\.?$|\bas follows\.?$|\b(?:following|below)\b[^\n]{0,60}[.:]$/iu;
const SENTENCE_END = /[.!?。…][)\]」』"'”’]*$|[다요음함됨임]$/u;
const CAPTION_LENGTH_MAX = 80;

/** How entries begin, the outer ones of Korean statutes first: ① 1. 가. 1) 가) (1) (가), and others by their indent. */
const MARKERS = [
  /^\s*[①-⑳]/,
  /^\s*\d{1,3}\.\s/,
  /^\s*[가-하]\.\s/,
  /^\s*\d{1,3}\)\s/,
  /^\s*[가-하]\)\s/,
  /^\s*[(（][\d가-하]{1,2}[)）]/,
  /^\s*(?:[-*+•·‑–▪▫○●◎◦□■◇◆▶►☞]|[A-Za-z][.)])\s/,
];
const INDENT_MAX = 100;

export function introduces(text: string): boolean {
  return INTRODUCES.test(text.trim());
}

/** A line that stands alone above something, and is no sentence. */
export function isCaption(text: string): boolean {
  const line = text.trim();
  return line.length <= CAPTION_LENGTH_MAX && !line.includes("\n") && rankOf(line) === 0 && !SENTENCE_END.test(line);
}

/** From 1, the inner entries' being higher; 0: no entry begins so. */
function rankOf(text: string): number {
  const kind = MARKERS.findIndex((marker) => marker.test(text));
  if (kind < MARKERS.length - 1) return kind === -1 ? 0 : (kind + 1) * INDENT_MAX;
  const indent = text.length - text.trimStart().length;
  return MARKERS.length * INDENT_MAX + Math.min(indent, INDENT_MAX - 1);
}

interface Piece {
  readonly text: string;
  /** A block begins with it. */
  readonly isStart: boolean;
}

/** What introduces the entries that are being read, outermost first. */
export class Introductions<P extends Piece> {
  #open: { readonly piece: P; readonly rank: number; entries: number }[] = [];
  #isLineStart = true;

  /** Empty where the last piece that was read was no entry, or part of one. */
  get open(): readonly P[] {
    return this.#open.filter(({ entries }) => entries > 0).map(({ piece }) => piece);
  }

  read(piece: P): void {
    const rank = rankOf(piece.text);
    if (piece.isStart || this.#isLineStart) this.#close(rank);
    this.#isLineStart = piece.text.endsWith("\n");
    if (introduces(piece.text)) this.#open.push({ piece, rank, entries: 0 });
  }

  /** What the entry that begins here does not belong to. */
  #close(rank: number): void {
    if (rank === 0) this.#open = [];
    for (let last = this.#open.at(-1); last; last = this.#open.at(-1)) {
      if (last.entries === 0 && rank > last.rank) last.entries = rank;
      if (last.entries > 0 && rank >= last.entries) return;
      this.#open.pop();
    }
  }
}
