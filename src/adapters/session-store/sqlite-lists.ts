import { createBreather } from "../../breather.ts";
import type { SessionEntry, SessionPage, SessionPlace, SessionRange, UserScope } from "../../ports/session-store.ts";
import type { Database } from "../sqlite/database.ts";
import { inOrder, mayRead, ofUser, pageOf } from "./shared.ts";
import { FIRST_QUESTION, PLACES, SESSION } from "./sqlite-statements.ts";

/** Sessions looked at between two breaths: a millisecond or two. */
const LOOKED_AT_ONCE = 200;
/** Comes after every id. */
const END = "\u{10ffff}";

export interface OfGroups {
  /** As JSON; undefined in files that may not be written and lack it. */
  readonly groups?: string | null;
}

interface PlaceRow extends OfGroups {
  readonly row: number;
  readonly id: string;
  readonly turn_count: number;
  readonly used_at_ms: number;
}

/**
 * One look through all of a user's sessions, as no index has their times, with the latest kept: 10 µs for each, in pieces between
 * which others are served. `since`: those last used before then are forgotten.
 */
export async function pageOfUser(
  database: Database,
  scope: UserScope,
  { limit, after }: SessionRange,
  since: number,
  signal: AbortSignal,
): Promise<SessionPage> {
  const breathe = createBreather();
  const isListed = (row: PlaceRow) => row.used_at_ms >= since && mayRead(scope, groupsOf(row));
  const [first, end] = idsOf(scope.user);
  let latest: SessionPlace[] = [];
  for (let from: string | undefined = first; from !== undefined; ) {
    const rows: PlaceRow[] = database.all(PLACES, scope.tenant, scope.collection, from, end, LOOKED_AT_ONCE);
    const places = rows.filter(isListed).map((row) => ({ id: row.id.slice(first.length), usedAtMs: row.used_at_ms }));
    const wanted = places.filter((place) => !after || inOrder(after, place) < 0);
    latest = [...latest, ...wanted].sort(inOrder).slice(0, limit + 1);
    from = rows.length < LOOKED_AT_ONCE ? undefined : rows.at(-1)?.id;
    await breathe();
    signal.throwIfAborted();
  }
  const { sessions: places, ...rest } = pageOf(latest, limit);
  // Meanwhile one may be gone, or another one under its id.
  const entry = (place: SessionPlace): SessionEntry[] => {
    const row = database.get<PlaceRow>(SESSION, scope.tenant, scope.collection, first + place.id);
    if (!row || !mayRead(scope, groupsOf(row))) return [];
    const question = database.get<{ question: string }>(FIRST_QUESTION, row.row)?.question ?? "";
    return [{ ...place, question, turnCount: row.turn_count }];
  };
  return { sessions: database.snapshot(() => places.flatMap(entry)), ...rest };
}

/** Before and after all ids of a user's sessions; without one, of everybody's. */
export function idsOf(user: string | undefined): [from: string, to: string] {
  if (user === undefined) return ["", END];
  const from = ofUser(user);
  return [from, from + END];
}

export function groupsOf({ groups }: OfGroups): string[] {
  return groups == null ? [] : JSON.parse(groups);
}
