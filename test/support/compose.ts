import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "yaml";

export const DEPLOY = resolve(import.meta.dirname, "../../deploy");

export interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly networks?: { readonly default: { readonly ipv4_address: string } };
}

export type Services = Readonly<Record<string, Service>>;

/** The services of a Compose file in deploy/; the database's password is `secret`. */
export function servicesOf(name: string): Services {
  const text = readFileSync(join(DEPLOY, name), "utf8").replaceAll(/\$\{RAGLINE_POSTGRES_PASSWORD[^}]*\}/g, "secret");
  return (parse(text) as { readonly services: Services }).services;
}

/** The fixed address of a service; empty where it has none. */
export function addressOf(services: Services, name: string): string {
  return services[name]?.networks?.default.ipv4_address ?? "";
}
