import type { Filter, Metadata } from "../types.ts";

/** `google.protobuf.Struct`, as the loader has it. */
export interface Struct {
  readonly fields: Readonly<Record<string, Value>>;
}

interface Value {
  readonly nullValue?: unknown;
  readonly numberValue?: number;
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly structValue?: Struct;
  readonly listValue?: { readonly values: readonly Value[] };
}

/** Metadata or a filter; a key without a value is left out. */
export function structOf(value: Metadata | Filter): Struct {
  const fields = Object.entries(value).flatMap(([key, one]) =>
    one === undefined ? [] : [[key, toValue(one)] as const],
  );
  return { fields: Object.fromEntries(fields) };
}

function toValue(value: unknown): Value {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "number") return { numberValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (Array.isArray(value)) return { listValue: { values: value.map(toValue) } };
  if (typeof value === "object" && value !== null) return { structValue: structOf(value as Filter) };
  return { nullValue: 0 };
}

export function metadataFrom(struct: Struct | null): Metadata {
  return plainStruct(struct ?? { fields: {} }) as Metadata;
}

export function filterFrom(struct: Struct): Filter {
  return plainStruct(struct) as Filter;
}

function plainStruct({ fields }: Struct): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, plain(value)]));
}

function plain({ numberValue, stringValue, boolValue, structValue, listValue }: Value): unknown {
  if (structValue) return plainStruct(structValue);
  if (listValue) return listValue.values.map(plain);
  return stringValue ?? numberValue ?? boolValue ?? null;
}
