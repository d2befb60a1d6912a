import { hash } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RaglineError, RETRY_AFTER_MS } from "../errors.ts";
import type { CallerOptions, Config, Ragline } from "../index.ts";
import { groupNames, parseRequest, tenantName, userName } from "../requests.ts";
import { whenOver } from "./over.ts";
import { sentOnce } from "./sent-once.ts";

type Caller = NonNullable<Config["server"]["callers"]>[number];
type Right = Caller["may"][number];

declare module "fastify" {
  interface FastifyRequest {
    /** Who sent it, and for whom, where that is known; null: nobody is asked who he is, or it is not known yet. */
    caller: Pick<CallerOptions, "name" | "tenant" | "groups" | "user"> | null;
    /** Of a key that nobody has: the first 8 hexadecimal digits of its SHA-256. */
    unknownKey: string | undefined;
  }
  interface FastifyContextConfig {
    /** What a route asks of its caller, `ask` where absent; `none`: not even a key. */
    right?: Right | "none";
  }
}

const TENANT_HEADER = "x-ragline-tenant";
const GROUPS_HEADER = "x-ragline-groups";
const USER_HEADER = "x-ragline-user";
const CREDENTIALS = /^Bearer +([!-~]+) *$/i;

/**
 * Lets in who brings the key of one of `server.callers` and may do what the route is for. Keys are compared by their hashes: how long that
 * takes tells nothing of them. A caller for others names them by headers, tenant, groups and user in percent-encoding, groups parted by
 * commas; of anybody else they are refused, and where one comes twice too: a gateway may have added its own to what the client sent.
 * One whose entry names no tenant must send it: where a proxy between takes the headers out, one customer would get what is another's.
 */
export function checkCallers(app: FastifyInstance, ragline: Ragline): void {
  const { tenant } = ragline.config;
  const knownNow = callersByDigest(ragline);
  const bound = boundRequests();
  app.decorateRequest("caller", null);
  app.decorateRequest("unknownKey", undefined);
  const check = (request: FastifyRequest, reply: FastifyReply) => {
    const { right = "ask" } = request.routeOptions.config;
    if (right === "none" || app.isAtProbes(request.raw)) return;
    const known = knownNow();
    if (!known) {
      refuseSpeakers(request, right);
      return;
    }
    const caller = authenticated(known, request);
    // For the log of what is refused below.
    request.caller = ownEntry(caller, tenant);
    if (!caller.may.includes(right)) throw forbidden(`This key may not do that: it lacks the right ${right}.`);
    request.caller = speaker(caller, tenant, request, right);
    bound(caller, request, reply);
  };
  app.addHook("onRequest", (request, reply, done) => {
    let refusal: Error | undefined;
    try {
      check(request, reply);
    } catch (thrown) {
      refusal = thrown as Error;
    }
    done(refusal);
  });
}

/** Those who may call just now; undefined: everybody. */
function callersByDigest(ragline: Ragline): () => ReadonlyMap<string, Caller> | undefined {
  let callers: readonly Caller[] | undefined;
  let known: ReadonlyMap<string, Caller> | undefined;
  return () => {
    const now = ragline.config.server.callers;
    if (now !== callers) known = now && new Map(now.map((caller) => [digest(caller.key), caller]));
    callers = now;
    return known;
  };
}

/** Where nobody is asked who he is, nobody speaks for others, nor erases what is theirs. */
function refuseSpeakers(request: FastifyRequest, right: Right): void {
  if (right === "erase") throw forbidden("Nobody may erase over HTTP without `server.callers`.");
  for (const name of [TENANT_HEADER, GROUPS_HEADER, USER_HEADER])
    headerOf(request, name, "nobody is, without `server.callers`");
}

/** Refuses a request beyond `requestsMax` of its caller's, or of the tenant's that it speaks for. */
function boundRequests(): (caller: Caller, request: FastifyRequest, reply: FastifyReply) => void {
  const underWay = new Map<string, number>();
  return ({ name, key, requestsMax }, request, reply) => {
    if (requestsMax === undefined) return;
    const whose = JSON.stringify([key, request.caller?.tenant]);
    const count = underWay.get(whose) ?? 0;
    if (count >= requestsMax) {
      const message = `${name} has ${requestsMax} requests under way already.`;
      throw new RaglineError("rate_limited", message, { retryAfterMs: RETRY_AFTER_MS });
    }
    underWay.set(whose, count + 1);
    whenOver(request, reply, () => {
      const left = (underWay.get(whose) ?? 1) - 1;
      if (left > 0) underWay.set(whose, left);
      else underWay.delete(whose);
    });
  };
}

function authenticated(known: ReadonlyMap<string, Caller>, request: FastifyRequest): Caller {
  const [, key] = CREDENTIALS.exec(sentOnce(request, "authorization") ?? "") ?? [];
  const caller = key === undefined ? undefined : known.get(digest(key));
  if (caller) return caller;
  if (key !== undefined) request.unknownKey = digest(key).slice(0, 8);
  const problem = key === undefined ? "must be sent: Bearer, a space and a key" : "nobody has this key";
  throw new RaglineError("unauthorized", `authorization: ${problem}`);
}

/** Without a tenant: it speaks for others, and has not said for whom. */
function ownEntry(
  { name, tenant, groups, user, forOthers }: Caller,
  configured: string,
): NonNullable<FastifyRequest["caller"]> {
  const own = tenant ?? (forOthers ? undefined : configured);
  return { name, groups, ...(own !== undefined && { tenant: own }), ...(user !== undefined && { user }) };
}

function speaker(caller: Caller, configured: string, request: FastifyRequest, right: Right): FastifyRequest["caller"] {
  const refusal = caller.forOthers ? null : "this key is not (`forOthers`)";
  const othersTenant = headerOf(request, TENANT_HEADER, refusal);
  const othersGroups = headerOf(request, GROUPS_HEADER, refusal);
  const othersUser = headerOf(request, USER_HEADER, refusal);
  if (caller.userRequired && right === "ask" && othersUser === undefined) {
    throw invalid(`${USER_HEADER}: must be sent, as the entry of this key says (userRequired)`);
  }
  const tenant = caller.forOthers ? tenantOf(caller, othersTenant, right) : undefined;
  return {
    ...ownEntry(caller, configured),
    ...(tenant !== undefined && { tenant }),
    ...(othersGroups !== undefined && { groups: parseRequest(groupNames, listed(othersGroups), GROUPS_HEADER) }),
    ...(othersUser !== undefined && { user: nameOf(USER_HEADER, userName, othersUser) }),
  };
}

/**
 * Whoever speaks for others speaks for those of its own tenant, or names one: a header that was lost on the way leads to nobody's. What
 * is told of the whole process is nobody's in particular.
 */
function tenantOf({ tenant }: Caller, header: string | undefined, right: Right): string | undefined {
  if (header === undefined) {
    if (tenant !== undefined || right === "observe") return tenant;
    throw invalid(`${TENANT_HEADER}: must be sent, as the entry of this key names no tenant`);
  }
  const named = nameOf(TENANT_HEADER, tenantName, header);
  if (tenant !== undefined && named !== tenant)
    throw forbidden(`${TENANT_HEADER}: this key is for one tenant, not for this.`);
  return named;
}

/** Undefined: not sent. `refusal`: why it may not be. */
function headerOf(request: FastifyRequest, name: string, refusal: string | null): string | undefined {
  if (refusal !== null && request.headers[name] !== undefined) {
    throw forbidden(`${name}: only a caller for others may send it; ${refusal}.`);
  }
  return sentOnce(request, name);
}

/** A raw comma is none of the name's: two headers that a proxy made one would be a third tenant. */
function nameOf(header: string, schema: typeof tenantName, value: string): string {
  if (value.includes(",")) throw invalid(`${header}: must be one name, a comma in it as %2C`);
  return parseRequest(schema, decoded(header, value), header);
}

function listed(value: string): string[] {
  const names = value.split(",").map((name) => name.trim());
  return names.length === 1 && names[0] === "" ? [] : names.map((name) => decoded(GROUPS_HEADER, name));
}

/** Node reads bytes as Latin-1: beyond ASCII the name would be another one. */
function decoded(header: string, value: string): string {
  try {
    if (/^[ -~]*$/.test(value)) return decodeURIComponent(value);
  } catch {}
  throw invalid(`${header}: must be percent-encoded UTF-8`);
}

function digest(key: string): string {
  return hash("sha256", key, "hex");
}

function forbidden(message: string): RaglineError {
  return new RaglineError("forbidden", message);
}

function invalid(message: string): RaglineError {
  return new RaglineError("request_invalid", message);
}
