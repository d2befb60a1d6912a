/** Keys of the configuration whose values are secrets. */
const SECRET_KEY = /^(?:apiKey|authorization|headers|key|secret|token|.*password)$/i;
/** A shorter one is no secret, and may be part of any word. */
const BYTES_MIN = 6;

/** Takes what the configuration holds as secrets out of a text: keys, passwords, those in URLs too, as they are and as JSON or URLs write them. */
export function createRedaction(config: unknown): (text: string) => string {
  const secrets = new Set<string>();
  for (const secret of secretsIn(config, false)) {
    if (Buffer.byteLength(secret) < BYTES_MIN) continue;
    for (const form of [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]) secrets.add(form);
  }
  // The longest first: one may begin as another does.
  const all = [...secrets].sort((a, b) => b.length - a.length);
  return (text) => all.reduce((rest, secret) => rest.replaceAll(secret, "[redacted]"), text);
}

function* secretsIn(value: unknown, isSecret: boolean): Generator<string> {
  if (typeof value === "string") {
    if (isSecret) yield value;
    else yield* passwordsIn(value);
  } else if (typeof value === "object" && value !== null && !("specificationVersion" in value)) {
    for (const [key, one] of Object.entries(value)) yield* secretsIn(one, isSecret || SECRET_KEY.test(key));
  }
}

/** Of URLs, also of several hosts. Who stands alone is a token to an HTTP server, and a name to a database. */
function* passwordsIn(text: string): Generator<string> {
  const found = /^([a-z][a-z0-9+.-]*):\/\/([^:@/]*)(?::([^@/]*))?@/i.exec(text) ?? [];
  const [, scheme = "", user = "", password = ""] = found;
  const secret = password || (/^https?$/i.test(scheme) ? user : "");
  if (!secret) return;
  yield secret;
  yield decoded(secret);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
