import { isDeepStrictEqual } from "node:util";
import { type Config, type Ragline, RaglineError } from "../index.ts";

type Callers = NonNullable<Config["server"]["callers"]>;

/**
 * Takes over `server.callers` of the configuration that `read` reads again, and nothing else: the log says what is changed besides. Where
 * it is wrong, all stays as it is; and where it has no callers any more, they stay, since everybody could do everything without.
 */
export function reloadCallers(ragline: Ragline, read: () => Config): void {
  const { log } = ragline;
  let config: Config;
  try {
    config = read();
  } catch (thrown) {
    const problems = thrown instanceof RaglineError ? thrown.message.split("\n") : undefined;
    log.error(
      { problems, ...(!problems && { err: thrown }) },
      "the configuration is wrong; nothing of it is taken over",
    );
    return;
  }
  const { callers } = config.server;
  const { callers: before } = ragline.config.server;
  const fields = [...differences(withoutCallers(ragline.config), withoutCallers(config))];
  if (fields.length > 0) log.warn({ fields }, "the configuration differs in what only a restart takes over");
  if (callers) {
    ragline.takeCallers(callers);
    log.info(changes(before ?? [], callers), "server.callers are taken over");
  } else if (before) {
    log.warn("server.callers are not in the configuration any more; they stay: only a restart lets everybody in");
  } else {
    log.info("there are no server.callers to take over");
  }
}

/** A caller is who has its key. */
function changes(before: Callers, after: Callers) {
  const known = new Map(before.map((caller) => [caller.key, caller]));
  const staying = after.filter(({ key }) => known.has(key));
  return {
    callers: after.length,
    added: after.length - staying.length,
    removed: before.length - staying.length,
    changed: staying.filter((caller) => !isDeepStrictEqual(caller, known.get(caller.key))).length,
  };
}

function withoutCallers({ server: { callers: _, ...server }, ...config }: Config): object {
  return { ...config, server };
}

/** Paths of what is not the same. */
function* differences(a: unknown, b: unknown, path: readonly string[] = []): Generator<string> {
  if (isDeepStrictEqual(a, b)) return;
  if (!isBlock(a) || !isBlock(b)) {
    yield path.join(".");
    return;
  }
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) yield* differences(a[key], b[key], [...path, key]);
}

function isBlock(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
