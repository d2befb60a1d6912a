import { RaglineError } from "../errors.ts";
import type { ParsedText } from "./document.ts";
import { characterMaps } from "./pdf-cmaps.ts";
import { fieldsOf } from "./pdf-fields.ts";
import { type Fragment, layOut, type Page } from "./pdf-layout.ts";
import { type Operators, rulesOf } from "./pdf-rules.ts";
import { joinNumbers } from "./pdf-spacing.ts";
import { toFragment, turnedRule, turnOf } from "./pdf-turn.ts";

const PAGES_MAX = 5_000;
const PAGES_NAMED = 10;
/** UTF-16 units of the whole text. */
const TEXT_LENGTH_MAX = 20_000_000;
/** Of the characters: more that stand for nothing, and the text layer has no readable text. */
const UNREADABLE_SHARE_MAX = 0.3;

/** Texts beside others, in sizes of them so far apart: a page with fewer has no table, and what it draws is not listed, which takes long. */
const BESIDE_MIN = 2;
const BESIDE_GAP = 0.8;

/** Private use, replacement and control characters: glyphs without a meaning. */
const UNREADABLE = /[\p{Co}\p{Cc}\ufffd]/gu;

/**
 * Parses the text layer of a PDF; every block names the page on which it begins.
 * @throws RaglineError `request_invalid` with the bare reason: encrypted, damaged, too many pages, no text layer.
 */
export async function parsePdf(bytes: Uint8Array): Promise<ParsedText> {
  const { getDocumentProxy, getResolvedPDFJS } = await import("unpdf");
  const { OPS } = await getResolvedPDFJS();
  // The parser takes the bytes over, and cannot read a Buffer's shared memory.
  const missing = new Set<string>();
  const BinaryDataFactory = characterMaps(missing);
  const options = {
    BinaryDataFactory,
    cMapPacked: true,
    useWorkerFetch: false,
    verbosity: 0,
    useSystemFonts: false,
    // Pictures are not looked at, nor decoded.
    maxImageSize: 1,
  };
  const pdf = await getDocumentProxy(new Uint8Array(bytes), options).catch((thrown: unknown) => {
    throw refusalOf(thrown);
  });
  if (pdf.numPages > PAGES_MAX) throw refused(`has ${pdf.numPages} pages (at most ${PAGES_MAX})`);
  // A page whose drawing is damaged has its text all the same.
  const drawnOn = (page: { getOperatorList(): Promise<Operators> }) =>
    page.getOperatorList().then(
      (operators) => rulesOf(operators, OPS),
      () => [],
    );
  const pages: Page[] = [];
  let length = 0;
  let unreadable = 0;
  for (let number = 1; number <= pdf.numPages; number++) {
    const page = await pdf.getPage(number);
    const { items } = await page.getTextContent();
    const texts = items.filter((item) => "str" in item);
    const turn = turnOf(texts);
    const fragments = [...texts.flatMap((item) => toFragment(item, turn)), ...(await fieldsOf(page, turn))];
    for (const { text } of fragments) {
      length += text.trim().length;
      unreadable += text.match(UNREADABLE)?.length ?? 0;
    }
    if (length > TEXT_LENGTH_MAX) throw refused(`has more than ${TEXT_LENGTH_MAX} characters of text`);
    const rules = mayHaveTable(fragments) ? await drawnOn(page) : [];
    pages.push({ fragments, rules: rules.map((rule) => turnedRule(rule, turn)) });
    page.cleanup();
  }
  if (length === 0 && missing.size > 0) {
    const languages = [...missing].join(", ");
    throw refused(
      `has ${languages} text whose fonts do not say which characters they show: embed the fonts and save again`,
    );
  }
  if (length === 0) throw refused("has no text layer (scanned pages?): recognise its text first");
  if (unreadable > length * UNREADABLE_SHARE_MAX) {
    throw refused("has a text layer without readable characters: recognise its text first");
  }
  const title = await titleOf(pdf);
  const notice = noticeOf(pages);
  return { fields: {}, blocks: joinNumbers(layOut(pages)), ...(title && { title }), ...(notice && { notice }) };
}

/** Text goes down the page; cells stand beside others, or begin higher than the one before ends. */
function mayHaveTable(fragments: readonly Fragment[]): boolean {
  let beside = 0;
  let before: Fragment | undefined;
  for (const fragment of fragments) {
    if (fragment.text.trim() === "") continue;
    const { x, y, size } = fragment;
    if (before && y - before.y > -0.4 * size && Math.abs(x - before.x - before.width) > BESIDE_GAP * size) beside++;
    if (beside >= BESIDE_MIN) return true;
    before = fragment;
  }
  return false;
}

/** The text of other pages does not tell that some were scanned. */
function noticeOf(pages: readonly Page[]): string {
  const empty = pages.flatMap(({ fragments }, i) => (fragments.every(({ text }) => text.trim() === "") ? [i + 1] : []));
  if (empty.length === 0) return "";
  const named = `${empty.slice(0, PAGES_NAMED).join(", ")}${empty.length > PAGES_NAMED ? ", …" : ""}`;
  return `${empty.length} of ${pages.length} pages have no text (scanned?): ${named}`;
}

/** What programs write for the title of a file that has none: its name, the program's. */
const NO_TITLE =
  /^(?:untitled|제목 없음|microsoft word|microsoft powerpoint|.*\.(?:docx?|hwpx?|pdf|pptx?|tex|dvi|indd|xlsx?)$)/i;

async function titleOf(pdf: { getMetadata(): Promise<{ info: object }> }): Promise<string> {
  const { info } = await pdf.getMetadata().catch(() => ({ info: {} }));
  const title = "Title" in info && typeof info.Title === "string" ? info.Title.trim() : "";
  return NO_TITLE.test(title) ? "" : title;
}

function refusalOf(thrown: unknown): RaglineError {
  if (thrown instanceof Error && thrown.name === "PasswordException") {
    return refused("is encrypted: save it without a password");
  }
  return refused("is damaged, or no PDF", thrown);
}

function refused(reason: string, cause?: unknown): RaglineError {
  return new RaglineError("request_invalid", reason, { cause });
}
