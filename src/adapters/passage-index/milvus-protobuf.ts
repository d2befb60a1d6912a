const LENGTH = 2;

/** Fields of a protobuf message, one after the other. Numbers are whole and below 2^31. */
export class MessageWriter {
  #bytes: Buffer;
  #size = 0;

  /** `bytes`: about as many as there will be. */
  constructor(bytes = 256) {
    this.#bytes = Buffer.allocUnsafe(bytes);
  }

  string(field: number, text: string): this {
    const length = Buffer.byteLength(text);
    this.#begin(field, length);
    this.#bytes.write(text, this.#size);
    this.#size += length;
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#begin(field, value.byteLength);
    this.#bytes.set(value, this.#size);
    this.#size += value.byteLength;
    return this;
  }

  number(field: number, value: number): this {
    this.#room(10);
    this.#varint(field << 3);
    this.#varint(value);
    return this;
  }

  done(): Buffer {
    return this.#bytes.subarray(0, this.#size);
  }

  #begin(field: number, length: number): void {
    this.#room(length + 10);
    this.#varint((field << 3) | LENGTH);
    this.#varint(length);
  }

  #varint(value: number): void {
    let rest = value;
    for (; rest > 0x7f; rest >>>= 7) this.#bytes[this.#size++] = (rest & 0x7f) | 0x80;
    this.#bytes[this.#size++] = rest;
  }

  #room(bytes: number): void {
    if (this.#size + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.#size + bytes));
    this.#bytes.copy(larger, 0, 0, this.#size);
    this.#bytes = larger;
  }
}

/** Reads a message's fields in their order: `next`, then one of the others, or none where a field is of no interest. */
export class MessageReader {
  readonly #bytes: Buffer;
  #at: number;
  #kind = -1;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#at = 0;
  }

  /** The next field's number; 0: there is none. */
  next(): number {
    this.#skip();
    if (this.#at >= this.#bytes.length) return 0;
    const tag = this.#varint();
    this.#kind = tag & 7;
    return tag >>> 3;
  }

  /** Also one that is negative, or beyond 32 bits. */
  number(): number {
    this.#kind = -1;
    return this.#varint();
  }

  bytes(): Buffer {
    this.#kind = -1;
    const end = this.#varint() + this.#at;
    const value = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return value;
  }

  string(): string {
    this.#kind = -1;
    const end = this.#varint() + this.#at;
    const value = this.#bytes.toString("utf8", this.#at, end);
    this.#at = end;
    return value;
  }

  message(): MessageReader {
    return new MessageReader(this.bytes());
  }

  /** A list of numbers without tags of their own. */
  numbers(): number[] {
    const all = this.message();
    const values: number[] = [];
    while (all.#at < all.#bytes.length) values.push(all.#varint());
    return values;
  }

  floats(): Float32Array {
    const bytes = this.bytes();
    const values = new Float32Array(bytes.length >> 2);
    for (let i = 0; i < values.length; i++) values[i] = bytes.readFloatLE(4 * i);
    return values;
  }

  #skip(): void {
    const kind = this.#kind;
    this.#kind = -1;
    if (kind === 0) this.#varint();
    else if (kind === LENGTH) this.bytes();
    else if (kind === 1) this.#at += 8;
    else if (kind === 5) this.#at += 4;
  }

  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#bytes[this.#at++] ?? 0;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    // 64 bits, negative ones as two's complement.
    let high = 0n;
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++] ?? 0;
      high |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return Number(BigInt.asIntN(64, high | BigInt(value)));
  }
}
