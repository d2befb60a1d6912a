import { Agent, type Dispatcher, EnvHttpProxyAgent, getGlobalDispatcher, Pool } from "undici";

/** Sockets stop reading once anything waits in them: what a paused response leaves there costs nothing until it goes on. */
const sockets = { timeout: 10_000, highWaterMark: 1 };
const direct = new Agent({ connect: sockets });
let proxied: Dispatcher | undefined;

/** To any origin: by the process's own dispatcher where one was set, such as a proxy's (`NODE_USE_ENV_PROXY`); a plain `Agent` counts as none. */
export function connections(): Dispatcher {
  const own = getGlobalDispatcher();
  const { name } = own.constructor;
  if (own instanceof Agent || name === "Agent") return direct;
  // Node 22 brings undici 6, whose dispatchers take handlers of another form.
  if (name !== "EnvHttpProxyAgent" || !process.versions.undici?.startsWith("6.")) return own;
  proxied ??= new EnvHttpProxyAgent();
  return proxied;
}

/** Connections of one's own to one server, whose certificate may be signed by an authority of one's own. Deadlines are the callers'. */
export function connectionsTo(
  origin: string,
  connect: { readonly timeoutMs: number; readonly ca?: string | undefined },
): Pool {
  const { timeoutMs, ca } = connect;
  return new Pool(origin, {
    connect: { timeout: timeoutMs, ...(ca !== undefined && { ca }) },
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}
