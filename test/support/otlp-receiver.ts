import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";

export interface ReceivedSpan {
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: none. */
  readonly parentId: string;
  readonly name: string;
  /** 1 internal, 2 server, 3 client. */
  readonly kind: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** 2: error. */
  readonly status: number;
}

export interface OtlpReceiver {
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  /** The headers of the last request. */
  readonly headers: Readonly<Record<string, unknown>>;
  /** What stood behind the last request's `?`. */
  readonly query: string;
  /** The request's bytes as text, for what must not be in them. */
  readonly bytes: string;
  close(): Promise<void>;
}

/** Takes OTLP traces over HTTP in protobuf, and nothing else. */
export async function otlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  let bytes = "";
  let headers: Record<string, unknown> = {};
  let query = "";
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (request.url?.split("?")[0] !== "/v1/traces" || request.headers["content-type"] !== "application/x-protobuf") {
      response.writeHead(415).end();
      return;
    }
    headers = request.headers;
    query = request.url?.split("?")[1] ?? "";
    const body = Buffer.concat(chunks);
    const message = request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
    bytes += message.toString("utf8");
    spans.push(...spansOf(message));
    response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    get headers() {
      return headers;
    },
    get query() {
      return query;
    },
    get bytes() {
      return bytes;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Field {
  readonly number: number;
  readonly bytes: Buffer;
  readonly value: bigint;
}

/** The fields of one protobuf message. */
function fieldsOf(message: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++] ?? 0;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = Number(varint());
    const number = tag >> 3;
    if ((tag & 7) === 0) fields.push({ number, bytes: Buffer.alloc(0), value: varint() });
    else {
      const length = (tag & 7) === 1 ? 8 : (tag & 7) === 5 ? 4 : Number(varint());
      const bytes = message.subarray(at, at + length);
      at += length;
      fields.push({ number, bytes, value: length === 8 ? bytes.readBigUInt64LE() : 0n });
    }
  }
  return fields;
}

const all = (message: Buffer, number: number) => fieldsOf(message).filter((field) => field.number === number);

/** `ExportTraceServiceRequest` of opentelemetry/proto/collector/trace/v1. */
function spansOf(request: Buffer): ReceivedSpan[] {
  return all(request, 1).flatMap(({ bytes: resourceSpans }) => {
    const [resource] = all(resourceSpans, 1);
    const { "service.name": service } = attributesOf(all(resource?.bytes ?? Buffer.alloc(0), 1));
    return all(resourceSpans, 2).flatMap(({ bytes: scopeSpans }) =>
      all(scopeSpans, 2).map(({ bytes }) => ({ service: String(service), ...spanOf(bytes) })),
    );
  });
}

function spanOf(span: Buffer): Omit<ReceivedSpan, "service"> {
  const of = (number: number) => all(span, number)[0];
  const hex = (number: number) => of(number)?.bytes.toString("hex") ?? "";
  return {
    traceId: hex(1),
    spanId: hex(2),
    parentId: hex(4),
    name: of(5)?.bytes.toString("utf8") ?? "",
    kind: Number(of(6)?.value ?? 0n),
    startMs: Number(of(7)?.value ?? 0n) / 1e6,
    endMs: Number(of(8)?.value ?? 0n) / 1e6,
    attributes: attributesOf(all(span, 9)),
    status: Number(all(of(15)?.bytes ?? Buffer.alloc(0), 3)[0]?.value ?? 0n),
  };
}

function attributesOf(pairs: readonly Field[]): Record<string, unknown> {
  return Object.fromEntries(
    pairs.map(({ bytes }) => [
      all(bytes, 1)[0]?.bytes.toString("utf8") ?? "",
      anyValue(all(bytes, 2)[0]?.bytes ?? Buffer.alloc(0)),
    ]),
  );
}

function anyValue(any: Buffer): unknown {
  const [field] = fieldsOf(any);
  switch (field?.number) {
    case 1:
      return field.bytes.toString("utf8");
    case 2:
      return field.value === 1n;
    case 3:
      return Number(field.value);
    case 4:
      return field.bytes.readDoubleLE();
    case 5:
      return all(field.bytes, 1).map(({ bytes }) => anyValue(bytes));
    default:
      return null;
  }
}
