import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import { createProgress, displayWidth } from "../../src/cli/progress.ts";

function setup(isTTY: boolean, columns = 80, bytesTotal = 1_000) {
  const written: string[] = [];
  const clock = { ms: 0 };
  const stream = { isTTY, columns, write: (text: string) => written.push(text) > 0 };
  const progress = createProgress({ stream, bytesTotal, now: () => clock.ms });
  return { written, clock, progress };
}

const at = (bytes: number, failures = 0) => ({ documents: bytes * 2, failures, bytes });

describe("on a terminal", () => {
  test("one line redraws itself with share, count, rate and time left, and ends clean", () => {
    const { written, clock, progress } = setup(true);
    progress.update(at(0));
    clock.ms = 2_000;
    progress.update(at(250, 3));
    progress.update(at(251));
    clock.ms = 4_000;
    progress.update(at(1_000));
    progress.end();
    progress.end();
    const lines = written.map((text) => stripVTControlCharacters(text));
    expect(written).toHaveLength(5);
    expect(lines[1]).toContain(" 25% · 500 documents · 3 failed · 250/s · 6 s left");
    expect(lines[2]).toContain("100% · 2,000 documents · 500/s");
    for (const text of written.slice(0, -1)) expect(text.startsWith("\r") && text.endsWith("\x1b[K")).toBe(true);
    expect(written.at(-1)).toBe("\n");
  });

  test("never wraps", () => {
    const { written, progress } = setup(true, 30);
    progress.update(at(500));
    expect(displayWidth(stripVTControlCharacters(written[0] ?? "").replace("\r", ""))).toBeLessThan(30);
  });

  test("says nothing where nothing was done", () => {
    const { written, progress } = setup(true);
    progress.end();
    expect(written).toEqual([]);
  });
});

describe("elsewhere", () => {
  test("a plain line every few seconds", () => {
    const { written, clock, progress } = setup(false);
    for (let ms = 0; ms <= 10_000; ms += 100) {
      clock.ms = ms;
      progress.update(at(ms / 10));
    }
    progress.end();
    expect(written).toHaveLength(3);
    expect(written[0]).toBe("indexing:  30% · 600 documents · 200/s · 7 s left\n");
  });

  test("without a total there is no share", () => {
    const { written, clock, progress } = setup(false, 80, 0);
    clock.ms = 5_000;
    progress.update(at(10));
    expect(written).toEqual(["indexing: 20 documents · 4/s\n"]);
  });
});

test.each([
  ["abc", 3],
  ["퇴직금", 6],
  ["👩‍👩‍👧 a", 4],
  ["é".normalize("NFD"), 1],
])("%s takes %i columns", (text, columns) => {
  expect(displayWidth(text)).toBe(columns);
});
