/** A passage found, by its row id. */
export interface RowHit {
  readonly row: number;
  readonly score: number;
}

/** The best `limit` of the hits offered, in a heap whose root is the worst kept. Equal scores: the lower row is better. */
export class Top {
  readonly #rows: Float64Array;
  readonly #scores: Float64Array;
  #size = 0;

  constructor(limit: number) {
    this.#rows = new Float64Array(limit);
    this.#scores = new Float64Array(limit);
  }

  /** A hit scoring less than this cannot get in. */
  get floor(): number {
    if (this.#size < this.#rows.length) return Number.NEGATIVE_INFINITY;
    return this.#size > 0 ? (this.#scores[0] as number) : Number.POSITIVE_INFINITY;
  }

  offer(row: number, score: number): void {
    if (this.#size < this.#rows.length) {
      this.#siftUp(this.#size++, row, score);
    } else if (this.#size > 0 && isWorse(this.#scores[0] as number, this.#rows[0] as number, score, row)) {
      this.#siftDown(row, score);
    }
  }

  /** Best first. */
  hits(): RowHit[] {
    return Array.from({ length: this.#size }, (_, i) => ({
      row: this.#rows[i] as number,
      score: this.#scores[i] as number,
    })).sort((a, b) => b.score - a.score || a.row - b.row);
  }

  #siftUp(hole: number, row: number, score: number): void {
    let place = hole;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!isWorse(score, row, this.#scores[parent] as number, this.#rows[parent] as number)) break;
      this.#set(place, this.#rows[parent] as number, this.#scores[parent] as number);
      place = parent;
    }
    this.#set(place, row, score);
  }

  #siftDown(row: number, score: number): void {
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= this.#size) break;
      if (child + 1 < this.#size && this.#isWorseAt(child + 1, child)) child++;
      if (!isWorse(this.#scores[child] as number, this.#rows[child] as number, score, row)) break;
      this.#set(place, this.#rows[child] as number, this.#scores[child] as number);
      place = child;
    }
    this.#set(place, row, score);
  }

  #isWorseAt(a: number, b: number): boolean {
    return isWorse(
      this.#scores[a] as number,
      this.#rows[a] as number,
      this.#scores[b] as number,
      this.#rows[b] as number,
    );
  }

  #set(place: number, row: number, score: number): void {
    this.#rows[place] = row;
    this.#scores[place] = score;
  }
}

function isWorse(score: number, row: number, otherScore: number, otherRow: number): boolean {
  return score < otherScore || (score === otherScore && row > otherRow);
}
