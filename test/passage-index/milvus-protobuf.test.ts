import fc from "fast-check";
import { expect, test } from "vitest";
import { MessageReader, MessageWriter } from "../../src/adapters/passage-index/milvus-protobuf.ts";

test("fields of no interest are passed over, whatever they are and however long", () => {
  const field = fc.record({
    value: fc.oneof(fc.string({ unit: "grapheme" }), fc.string({ minLength: 100, maxLength: 400 }), fc.nat()),
    isRead: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(field), (fields) => {
      const writer = new MessageWriter(1);
      for (const [i, { value }] of fields.entries()) {
        if (typeof value === "string") writer.string(i + 1, value);
        else writer.number(i + 1, value);
      }
      const reader = new MessageReader(writer.done());
      const read: unknown[] = [];
      for (let number = reader.next(); number !== 0; number = reader.next()) {
        const { value, isRead = false } = fields[number - 1] ?? {};
        if (isRead) read.push([number, typeof value === "string" ? reader.string() : reader.number()]);
      }
      expect(read).toEqual(fields.flatMap(({ value, isRead }, i) => (isRead ? [[i + 1, value]] : [])));
    }),
  );
});

test("numbers of fixed size are passed over", () => {
  const fixed = Buffer.from([0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x15, 1, 2, 3, 4, 0x18, 7]);
  const reader = new MessageReader(fixed);
  expect([reader.next(), reader.next(), reader.next(), reader.number(), reader.next()]).toEqual([1, 2, 3, 7, 0]);
});
