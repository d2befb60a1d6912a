import { expect, test } from "vitest";
import { passageText } from "../../src/text/passage-text.ts";

test("title and headings stand before the text", () => {
  expect(passageText({ title: "복리후생", headings: ["휴가", "연차"], text: "15일입니다." })).toBe(
    "복리후생\n휴가\n연차\n15일입니다.",
  );
});

test("a title that the text starts with is not doubled", () => {
  expect(passageText({ title: "Leave", headings: [""], text: "Leave is granted." })).toBe("Leave is granted.");
});
