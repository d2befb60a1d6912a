/** A passage found, by its row id. */
export interface RowHit {
  readonly row: number;
  readonly score: number;
}

/** A passage that may be among the hits, by its position in a segment too. */
export interface Candidate extends RowHit {
  readonly position: number;
}

/** The best `limit` of the hits offered, in a heap whose root is the worst kept. Equal scores: the lower row is better. */
export class Top {
  readonly limit: number;
  /** Plain arrays: so small a typed array takes longer to allocate than to fill. */
  readonly #rows: number[] = [];
  readonly #scores: number[] = [];
  readonly #positions: number[] = [];
  #size = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** A hit scoring less than this cannot get in. */
  get floor(): number {
    if (this.#size < this.limit) return Number.NEGATIVE_INFINITY;
    return this.#size > 0 ? (this.#scores[0] as number) : Number.POSITIVE_INFINITY;
  }

  offer(row: number, score: number, position = 0): void {
    if (this.#size < this.limit) {
      this.#siftUp(this.#size++, row, score, position);
    } else if (this.#size > 0 && isWorse(this.#scores[0] as number, this.#rows[0] as number, score, row)) {
      this.#siftDown(row, score, position);
    }
  }

  /** In no order. */
  *candidates(): Iterable<Candidate> {
    for (let i = 0; i < this.#size; i++) {
      yield {
        row: this.#rows[i] as number,
        score: this.#scores[i] as number,
        position: this.#positions[i] as number,
      };
    }
  }

  /** Best first. */
  hits(): RowHit[] {
    return Array.from({ length: this.#size }, (_, i) => ({
      row: this.#rows[i] as number,
      score: this.#scores[i] as number,
    })).sort((a, b) => b.score - a.score || a.row - b.row);
  }

  #siftUp(hole: number, row: number, score: number, position: number): void {
    let place = hole;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!isWorse(score, row, this.#scores[parent] as number, this.#rows[parent] as number)) break;
      this.#move(parent, place);
      place = parent;
    }
    this.#set(place, row, score, position);
  }

  #siftDown(row: number, score: number, position: number): void {
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= this.#size) break;
      if (child + 1 < this.#size && this.#isWorseAt(child + 1, child)) child++;
      if (!isWorse(this.#scores[child] as number, this.#rows[child] as number, score, row)) break;
      this.#move(child, place);
      place = child;
    }
    this.#set(place, row, score, position);
  }

  #isWorseAt(a: number, b: number): boolean {
    return isWorse(
      this.#scores[a] as number,
      this.#rows[a] as number,
      this.#scores[b] as number,
      this.#rows[b] as number,
    );
  }

  #move(from: number, to: number): void {
    this.#set(to, this.#rows[from] as number, this.#scores[from] as number, this.#positions[from] as number);
  }

  #set(place: number, row: number, score: number, position: number): void {
    this.#rows[place] = row;
    this.#scores[place] = score;
    this.#positions[place] = position;
  }
}

function isWorse(score: number, row: number, otherScore: number, otherRow: number): boolean {
  return score < otherScore || (score === otherScore && row > otherRow);
}
