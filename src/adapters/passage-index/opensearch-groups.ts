import { groupOf } from "./opensearch-records.ts";

const PAGE = 1000;

/** Of a search by `readersSearch`. */
export interface Readers {
  readonly buckets: readonly { readonly key: { readonly reader: string } }[];
  readonly after_key?: object;
}

/** Every group among the readers that `page` gives by pages: of so many, after a key. */
export async function groupsAmong(page: (size: number, after?: object) => Promise<Readers>): Promise<string[]> {
  const groups: string[] = [];
  for (let after: object | undefined; ; ) {
    const { buckets, after_key } = await page(PAGE, after);
    groups.push(...buckets.flatMap(({ key }) => groupOf(key.reader)));
    if (buckets.length < PAGE) return groups;
    after = after_key;
  }
}
