import fc from "fast-check";
import { serialize } from "pg-protocol";
import { expect, test } from "vitest";
import { executed } from "../../src/adapters/postgres/messages.ts";

test("statements are executed by the messages that the client would send", () => {
  const value = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constant("퇴직금"),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
  );
  const statement = fc.record({ name: fc.string({ minLength: 1, unit: "grapheme-ascii" }), values: fc.array(value) });
  fc.assert(
    fc.property(fc.array(statement, { minLength: 1, maxLength: 3 }), (statements) => {
      const others = statements.flatMap(({ name, values }) => [
        serialize.bind({
          statement: name,
          values: values.map((one) => (typeof one === "number" ? `${one}` : one)),
        }),
        serialize.execute(),
      ]);
      expect(executed(statements)).toEqual(Buffer.concat([...others, serialize.sync()]));
    }),
  );
});
