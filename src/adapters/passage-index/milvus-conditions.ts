import type { RaglineError } from "../../errors.ts";
import type { CallOptions, Filter, Scope } from "../../types.ts";
import { filterExpression, rangedKeys } from "./milvus-filter.ts";
import { invalid, KINDS, type MilvusRecords, ofKind } from "./milvus-records.ts";
import { partOf } from "./milvus-schema.ts";
import { fieldMark, LIST_LENGTHS, lengthMark, listOf, readableBy } from "./milvus-values.ts";
import { checkedFields, type SortableCondition, sortableFilter } from "./sortable-filter.ts";

const FIELDS_NAMED_MAX = 20;
/** Documents whose fields an error names. */
const FIELDS_LOOKED_AT = 1000;

/** Filters as conditions, once it is known that the documents one may read have the fields. */
export class MilvusConditions {
  readonly #records: MilvusRecords;

  constructor(records: MilvusRecords) {
    this.#records = records;
  }

  /** The filter, checked, as a further condition. @throws RaglineError `request_invalid`: no readable document has a field */
  async of(scope: Scope, filter: Filter, call: CallOptions): Promise<string> {
    const fields = checkedFields(filter);
    const condition = sortableFilter(filter);
    const [known, lengths] = await Promise.all([
      Promise.all(fields.map((field) => this.#isHeld(scope, [fieldMark(field)], call))),
      this.#lengthsOf(scope, condition, call),
    ]);
    const unknown = fields.find((_, i) => !known[i]);
    if (unknown !== undefined) throw await this.#unknownField(scope, unknown, call);
    return ` and ${filterExpression(condition, lengths)}`;
  }

  /** Lists of several values are rare: which lengths there are is asked for where there are any. */
  async #lengthsOf(scope: Scope, condition: SortableCondition, call: CallOptions) {
    const known = new Map<string, number[]>();
    for (const key of rangedKeys(condition)) {
      const [one = 1, ...longer] = LIST_LENGTHS;
      known.set(key, [one]);
      const marks = longer.map((length) => lengthMark(key, length));
      if (!(await this.#isHeld(scope, marks, call))) continue;
      const held = await Promise.all(marks.map((mark) => this.#isHeld(scope, [mark], call)));
      known.set(key, [one, ...longer.filter((_, i) => held[i])]);
    }
    return known;
  }

  async #isHeld(scope: Scope, marks: readonly string[], call: CallOptions): Promise<boolean> {
    const part = partOf(scope);
    const isHeld = `array_contains_any(meta, ${listOf(marks)})`;
    const filter = `${ofKind(part, KINDS.document)} and ${readableBy(scope.groups)} and ${isHeld}`;
    const query = { filter, fields: ["id"], isStrong: this.#records.isStrong(part), limit: 1 } as const;
    return (await this.#records.find(query, call)).length > 0;
  }

  async #unknownField(scope: Scope, field: string, call: CallOptions): Promise<RaglineError> {
    const part = partOf(scope);
    const filter = `${ofKind(part, KINDS.document)} and ${readableBy(scope.groups)}`;
    const query = {
      filter,
      fields: ["data"],
      isStrong: this.#records.isStrong(part),
      limit: FIELDS_LOOKED_AT,
    } as const;
    const known = new Set<string>();
    for (const { data = "{}" } of await this.#records.find(query, call)) {
      const { metadata = {} } = JSON.parse(data) as { readonly metadata?: object };
      for (const name of Object.keys(metadata)) known.add(name);
    }
    const names = [...known].sort();
    const more = names.length > FIELDS_NAMED_MAX ? ", …" : "";
    const listed = `known fields: ${names.slice(0, FIELDS_NAMED_MAX).join(", ")}${more}`;
    return invalid(`filter.${field}: no document has this field (${names.length === 0 ? "none has any" : listed})`);
  }
}
