import { select } from "./columns.ts";
import { type LiveSegment, liveFrequency } from "./segment.ts";

/** A segment as one asker may see it, and what ranking needs to know of it: nothing here moves with what is hidden. */
export interface Readable {
  readonly live: LiveSegment;
  /** One byte a passage, 1 where it is neither removed nor of other groups; null: everywhere. */
  readonly allowed: Uint8Array | null;
  readonly passages: number;
  /** Sum of the lengths of these passages. */
  readonly tokens: number;
  /** In how many of them the term stands, whose postings are at `place`. */
  frequency(place: number): number;
}

/** Views of one segment that are remembered: each is a byte a passage. */
const VIEWS_MAX = 32;

/** What each segment looks like to askers of different groups, remembered while the segment stays as it is. */
export class Views {
  readonly #views = new WeakMap<LiveSegment, Map<string, Readable>>();

  /** Costs nothing where the segment holds no passage of other groups. */
  of(live: LiveSegment, groups: readonly string[]): Readable {
    const verdicts = live.segment.groups.values.map((of) => of.length === 0 || of.some((one) => groups.includes(one)));
    if (verdicts.every((isOpen) => isOpen)) return whole(live);
    let views = this.#views.get(live);
    if (!views) {
      views = new Map();
      this.#views.set(live, views);
    }
    const key = verdicts.map(Number).join("");
    let view = views.get(key);
    if (!view) {
      view = partOf(live, groups);
      const [oldest] = views.keys();
      if (views.size >= VIEWS_MAX && oldest !== undefined) views.delete(oldest);
      views.set(key, view);
    }
    return view;
  }
}

function whole(live: LiveSegment): Readable {
  const { passages, tokens } = live;
  return { live, allowed: live.live, passages, tokens, frequency: (place) => liveFrequency(live, place) };
}

function partOf(live: LiveSegment, groups: readonly string[]): Readable {
  const { segment } = live;
  const { lengths, postings } = segment.arrays;
  const isOpen = (of: readonly string[] | undefined) =>
    of === undefined || of.length === 0 || of.some((group) => groups.includes(group));
  const allowed = select(segment.groups, isOpen);
  let passages = 0;
  let tokens = 0;
  for (let i = 0; i < allowed.length; i++) {
    if (live.live?.[i] === 0) allowed[i] = 0;
    if (allowed[i] === 0) continue;
    passages++;
    tokens += lengths[i] as number;
  }
  const frequencies = new Map<number, number>();
  const frequency = (place: number) => {
    let known = frequencies.get(place);
    if (known === undefined) {
      known = 0;
      const to = postings.ends[place] as number;
      for (let i = postings.starts[place] as number; i < to; i++) {
        known += allowed[postings.passages[i] as number] as number;
      }
      frequencies.set(place, known);
    }
    return known;
  };
  return { live, allowed, passages, tokens, frequency };
}
