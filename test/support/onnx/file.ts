/** Just enough of the ONNX protobuf format (onnx.proto3, IR version 8, opset 17) to write models that ONNX Runtime runs. */

const OPSET = 17;
const IR_VERSION = 8;
const FLOAT = 1;
const INT64 = 7;

export interface Weights {
  readonly dims: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

type Attribute = number | readonly number[] | { readonly float: number };

/** A graph that is built node by node; values are named by what made them. */
export class OnnxGraph {
  readonly #nodes: Buffer[] = [];
  readonly #initializers: Buffer[] = [];
  readonly #inputs: Buffer[] = [];
  #count = 0;

  /** An int64 input, [batch, sequence]. */
  input(name: string): string {
    this.#inputs.push(valueInfo(name, INT64, ["batch", "sequence"]));
    return name;
  }

  weights({ dims, data }: Weights): string {
    const name = `w${this.#count++}`;
    const type = data instanceof Float32Array ? FLOAT : INT64;
    const raw = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    this.#initializers.push(
      Buffer.concat([...dims.map((dim) => integer(1, dim)), integer(2, type), bytes(8, name), bytes(9, raw)]),
    );
    return name;
  }

  floats(dims: readonly number[], value: (i: number) => number): string {
    const length = dims.reduce((product, dim) => product * dim, 1);
    return this.weights({ dims, data: Float32Array.from({ length }, (_, i) => value(i)) });
  }

  integers(values: readonly number[]): string {
    return this.weights({ dims: [values.length], data: BigInt64Array.from(values, BigInt) });
  }

  node(operator: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): string {
    const output = `v${this.#count++}`;
    this.#nodes.push(
      Buffer.concat([
        ...inputs.map((input) => bytes(1, input)),
        bytes(2, output),
        bytes(4, operator),
        ...Object.entries(attributes).map(([name, value]) => bytes(5, attribute(name, value))),
      ]),
    );
    return output;
  }

  /** The file, with one float output, which is renamed. */
  file(value: string, output: string, dims: readonly string[]): Buffer {
    this.#nodes.push(Buffer.concat([bytes(1, value), bytes(2, output), bytes(4, "Identity")]));
    const graph = Buffer.concat([
      ...this.#nodes.map((node) => bytes(1, node)),
      bytes(2, "graph"),
      ...this.#initializers.map((tensor) => bytes(5, tensor)),
      ...this.#inputs.map((input) => bytes(11, input)),
      bytes(12, valueInfo(output, FLOAT, dims)),
    ]);
    return Buffer.concat([
      integer(1, IR_VERSION),
      bytes(7, graph),
      bytes(8, Buffer.concat([bytes(1, ""), integer(2, OPSET)])),
    ]);
  }
}

function attribute(name: string, value: Attribute): Buffer {
  if (typeof value === "number") return Buffer.concat([bytes(1, name), integer(3, value), integer(20, 2)]);
  if ("float" in value) {
    const float = Buffer.alloc(5);
    float[0] = (2 << 3) | 5;
    float.writeFloatLE(value.float, 1);
    return Buffer.concat([bytes(1, name), float, integer(20, 1)]);
  }
  return Buffer.concat([bytes(1, name), ...value.map((one) => integer(8, one)), integer(20, 7)]);
}

function valueInfo(name: string, type: number, dims: readonly string[]): Buffer {
  const shape = Buffer.concat(dims.map((dim) => bytes(1, /^\d+$/.test(dim) ? integer(1, Number(dim)) : bytes(2, dim))));
  const tensor = Buffer.concat([integer(1, type), bytes(2, shape)]);
  return Buffer.concat([bytes(1, name), bytes(2, bytes(1, tensor))]);
}

function varint(value: number): Buffer {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  return Buffer.from([...out, Number(rest)]);
}

function integer(field: number, value: number): Buffer {
  return Buffer.concat([varint(field << 3), varint(value)]);
}

function bytes(field: number, value: string | Buffer): Buffer {
  const content = typeof value === "string" ? Buffer.from(value) : value;
  return Buffer.concat([varint((field << 3) | 2), varint(content.length), content]);
}
