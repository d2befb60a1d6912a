/** Keys of the configuration whose values are secrets. */
const SECRET_KEY = /^(?:apiKey|authorization|headers|key|secret|token|.*password)$/i;
/** What stands before a URL's host, unless it is how one is written. */
const CREDENTIALS = /\b([a-z][a-z0-9+.-]*):\/\/(?!\[user\[:password\]@\])([^\s:@/?#]*)(?::([^\s@/?#]*))?@/gi;
/** A parameter of a URL's query whose name says that it is secret. */
const SECRET_PARAMETER = /([?&][^\s?&#=]*(?:auth|credential|key|pass|pwd|secret|sig|token)[^\s?&#=]*=)([^\s&#,"']+)/gi;
/** What a key may be that stands by itself. */
const WORD = String.raw`[\w.~+/%-]{6,}=*`;
const WORDS = new RegExp(WORD, "g");
const IS_WORD = new RegExp(`^${WORD}$`);
/** A shorter one is no secret, and may be part of any word. */
const BYTES_MIN = 6;

interface HasCallers {
  readonly server?: { readonly callers?: readonly { readonly key: string }[] };
}

/** Of `server.callers`, of which there may be thousands: a text is looked through once for all of them. */
function callerKeys(config: unknown): string[] {
  const { callers = [] } = (config as HasCallers | undefined)?.server ?? {};
  return callers.flatMap(({ key }) => [key, encodeURIComponent(key)]).filter((key) => IS_WORD.test(key));
}

export interface Redaction {
  (text: string): string;
  /** Also takes out what this configuration holds. */
  add(config: unknown): void;
}

/** Takes what the configuration holds as secrets out of a text: keys, passwords, those in URLs too, as they are and as JSON or URLs write them. */
export function createRedaction(config: unknown): Redaction {
  const secrets = new Set<string>();
  const keys = new Set<string>();
  let all: readonly string[] = [];
  const add = (config: unknown) => {
    for (const secret of secretsIn(config, false)) {
      if (Buffer.byteLength(secret) < BYTES_MIN) continue;
      for (const form of [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]) secrets.add(form);
    }
    for (const key of callerKeys(config)) keys.add(key);
    for (const key of keys) secrets.delete(key);
    // The longest first: one may begin as another does.
    all = [...secrets].sort((a, b) => b.length - a.length);
  };
  add(config);
  const withoutKeys = (text: string) =>
    keys.size === 0 ? text : text.replace(WORDS, (word) => (keys.has(word) ? "[redacted]" : word));
  const redact = (text: string) =>
    all.reduce((rest, secret) => rest.replaceAll(secret, "[redacted]"), withoutKeys(text));
  return Object.assign(redact, { add });
}

/** A text, with URLs in it that somebody typed, without what they hold as secrets. */
export function withoutUrlSecrets(text: string): string {
  return text.replace(CREDENTIALS, "$1://[redacted]@").replace(SECRET_PARAMETER, "$1[redacted]");
}

function* secretsIn(value: unknown, isSecret: boolean): Generator<string> {
  if (typeof value === "string") {
    if (isSecret) yield value;
    else yield* secretsInUrls(value);
  } else if (typeof value === "object" && value !== null && !("specificationVersion" in value)) {
    for (const [key, one] of Object.entries(value)) yield* secretsIn(one, isSecret || SECRET_KEY.test(key));
  }
}

/** Of URLs, also of several hosts or several URLs. Who stands alone is a token to an HTTP server, and a name to a database. */
function* secretsInUrls(text: string): Generator<string> {
  for (const [, scheme = "", user = "", password = ""] of text.matchAll(CREDENTIALS)) {
    const secret = password || (/^https?$/i.test(scheme) ? user : "");
    if (secret) yield* [secret, decoded(secret)];
  }
  for (const [, , value = ""] of text.matchAll(SECRET_PARAMETER)) yield* [value, decoded(value.replaceAll("+", " "))];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
