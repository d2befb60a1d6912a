import { RaglineError } from "./errors.ts";

/** A part of a URL as it is meant. @throws RaglineError `config_invalid`, naming the field */
export function decodedPart(field: string, part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw new RaglineError("config_invalid", `${field}: write % as %25 in user, password and database`, { cause });
  }
}

/** Nor a password. */
export function hasNoUser(url: string): boolean {
  const { username = "", password = "" } = URL.parse(url) ?? {};
  return username === "" && password === "";
}
