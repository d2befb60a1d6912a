import { fileURLToPath } from "node:url";
import { loadSync, type MethodDefinition } from "./library.ts";

export type Method = MethodDefinition<object, object>;
/** A service's methods by name. */
export type Service = Readonly<Record<string, Method>>;

const FOLDER = fileURLToPath(new URL("../../proto", import.meta.url));
const FILES = [
  ...["stage", "embed", "rerank", "generate", "search"].map((name) => `ragline/v1/${name}.proto`),
  "grpc/health/v1/health.proto",
  "grpc/reflection/v1/reflection.proto",
];

/** Every service and message by its full name. */
export const loaded = loadSync(FILES, {
  includeDirs: [FOLDER],
  longs: Number,
  enums: String,
  defaults: true,
  arrays: true,
  objects: true,
});

/** @throws Error: there is no such service in `proto/`. */
export function serviceOf(name: string): Service {
  const found = loaded[name];
  if (!found || "format" in found) throw new Error(`no service ${name} in ${FOLDER}`);
  return found as Service;
}

/** @throws Error: there is no such method in `proto/`. */
export function methodOf(service: string, name: string): Method {
  const found = serviceOf(service)[name];
  if (!found) throw new Error(`no method ${name} of ${service} in ${FOLDER}`);
  return found;
}

export const HEALTH = "grpc.health.v1.Health";
export const REFLECTION = "grpc.reflection.v1.ServerReflection";
export const STAGE = "ragline.v1.Stage";

/** The steps that can be served apart, and the service of each. */
export const STAGE_SERVICES = {
  embed: "ragline.v1.Embed",
  rerank: "ragline.v1.Rerank",
  generate: "ragline.v1.Generate",
  search: "ragline.v1.Search",
} as const;
export type StageName = keyof typeof STAGE_SERVICES;
