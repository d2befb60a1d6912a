import fc from "fast-check";
import { expect, test } from "vitest";
import { languageOf } from "../../src/text/language.ts";

test.each([
  ["퇴직금은 언제 받나요?", "ko"],
  ["FastAPI에서 response_model은 어떻게 쓰나요?", "ko"],
  ["퇴직금".normalize("NFD"), "ko"],
  ["How much severance pay do I get?", "en"],
  ["What does 퇴직금 mean?", "en"],
  ["東京タワーはどこですか", "other"],
  ["Où est l'hôtel où il a été déposé", "other"],
  ["123 🙂", "other"],
  ["", "other"],
])("%s is %s", (text, language) => {
  expect(languageOf(text)).toBe(language);
});

test("reads plain texts as it reads all others", () => {
  const unit = fc.constantFrom(...Array.from("aZ가힣 .?1_'"), "The ", "퇴직금은 ", "API");
  fc.assert(
    fc.property(fc.string({ unit }), (text) => {
      // The ellipsis is no part of a word, and not plain.
      expect(languageOf(text)).toBe(languageOf(`${text} …`));
    }),
  );
});
