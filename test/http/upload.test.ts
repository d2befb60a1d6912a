import { connect } from "node:net";
import { Document, HeadingLevel, Packer, Paragraph, Table, TableCell, TableRow } from "docx";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { addedSchema, answerSchema, searchSchema } from "../../src/http/responses.ts";
import { expectError, postJson } from "../support/http.ts";
import { makeHwp, makeHwpx, paragraph, text } from "../support/hwp.ts";
import { lines, makePdf } from "../support/pdf.ts";
import { type ServedRagline, serveRagline, warnings } from "../support/ragline.ts";
import { sampleOf, scrape } from "../support/scrape.ts";
import { until } from "../support/until.ts";

let served: ServedRagline;
beforeAll(async () => {
  served = await serveRagline({
    server: { fileBytesMax: 1_000_000, bodyBytesMax: 1_000_000, uploadBytesMax: 4_000_000 },
  });
});
afterAll(() => served.close());

const put = (id: string, type: string, body: Uint8Array | string) =>
  fetch(`${served.url}/v1/documents/${encodeURIComponent(id)}`, {
    method: "PUT",
    headers: { "content-type": type },
    body,
  });
const hitsOf = async (query: string, filter = {}) =>
  searchSchema.parse(await (await postJson(`${served.url}/v1/search`, { query, filter })).json()).hits;

const DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

test("a PDF: found with its page, in hits and in sources", async () => {
  const page = (text: string) => lines([text], { x: 50, y: 700 });
  const pdf = makePdf([page("첫 쪽은 목적을 정한다."), page("출장 숙박비 한도는 하루 8만 원이다.")]);
  const added = addedSchema.parse(await (await put("규정/출장.pdf", "application/pdf", pdf)).json());
  expect(added).toMatchObject({ id: "규정/출장.pdf", changed: true });
  const answer = await postJson(
    `${served.url}/v1/ask`,
    { question: "출장 숙박비 한도는?" },
    { accept: "application/json" },
  );
  const { sources } = answerSchema.parse(await answer.json());
  expect(sources[0]).toMatchObject({ documentId: "규정/출장.pdf", page: 1, pageEnd: 2 });
});

test("a DOCX: headings, lists and tables", async () => {
  const cell = (text: string) => new TableCell({ children: [new Paragraph(text)] });
  const document = new Document({
    sections: [
      {
        children: [
          new Paragraph({ text: "복지 규정", heading: HeadingLevel.HEADING_1 }),
          new Paragraph({ text: "경조사", heading: HeadingLevel.HEADING_2 }),
          new Paragraph("결혼하는 직원에게 경조금을 준다."),
          new Table({ rows: [new TableRow({ children: [cell("본인 결혼"), cell("50만 원")] })] }),
        ],
      },
    ],
  });
  await put("복지.docx", DOCX, await Packer.toBuffer(document));
  const [hit] = await hitsOf("결혼 경조금");
  expect(hit?.passage).toMatchObject({ title: "복지 규정", headings: ["경조사"] });
  expect(hit?.passage.text).toContain("본인 결혼 | 50만 원");
});

test.each([
  ["application/x-hwp", makeHwp(), "휴가.hwp"],
  [
    "application/hwp+zip",
    makeHwpx([paragraph(text("제3장 휴가"), { outline: 1 }) + paragraph(text("휴가는 15일이다."))]),
    "휴가.hwpx",
  ],
  // Its name is not what it is.
  ["application/vnd.hancom.hwpx", makeHwp(), "이름만.hwpx"],
])("a document of Hancom Office, %s: headings and text", async (type, bytes, id) => {
  expect((await put(id, type, Buffer.from(bytes))).status).toBe(200);
  const hits = await hitsOf("휴가는 15일");
  const found = hits.find(({ passage }) => passage.documentId === id)?.passage;
  expect(found?.text).toContain("15일");
  expect([found?.title, ...(found?.headings ?? []), found?.text].join("\n")).toMatch(/^(?:1\. )?제\d장 휴가$/m);
  await fetch(`${served.url}/v1/documents/${encodeURIComponent(id)}`, { method: "DELETE" });
});

test("text in EUC-KR; Hangul decomposed in names, text, questions and filters", async () => {
  await put("메모.txt", "text/plain", Buffer.from([0xb0, 0xa1, 0xb3, 0xaa, 0xb4, 0xd9, 0x20, 0xb6, 0xf3]));
  expect((await hitsOf("가나다"))[0]?.passage.text).toBe("가나다 라");
  const nfd = (composed: string) => composed.normalize("NFD");
  await postJson(`${served.url}/v1/documents`, {
    id: nfd("맥/문서"),
    text: nfd("자모로 풀린 글"),
    metadata: { [nfd("부서")]: nfd("인사") },
  });
  const [hit] = await hitsOf(nfd("자모로 풀린"), { [nfd("부서")]: nfd("인사") });
  expect(hit?.passage).toMatchObject({ documentId: "맥/문서", text: "자모로 풀린 글", metadata: { 부서: "인사" } });
  expect((await fetch(`${served.url}/v1/documents/${encodeURIComponent(nfd("맥/문서"))}`)).status).toBe(200);
  // Limits are for what is stored: this is more than twice as long decomposed.
  await hitsOf(nfd("한".repeat(4000)));
});

test("what cannot be read is refused by name and reason", async () => {
  await expectError(
    await put("스캔.pdf", "application/pdf", makePdf([[]])),
    "request_invalid",
    /"스캔.pdf" has no text layer/,
  );
  for (const type of ["application/zip", "application/x-www-form-urlencoded", "application/json"]) {
    const refused = await put("a.zip", type, "{}");
    await expectError(refused, "request_invalid", /^content-type: must be one of application\/pdf, .*text\/plain$/);
  }
  expect((await put("big.pdf", "application/pdf", Buffer.alloc(1_000_001))).ok).toBe(false);
});

test("title, url, groups and metadata come in the query, and are checked like any document's", async () => {
  const target = (query: string) => `${served.url}/v1/documents/${encodeURIComponent("표/한도.txt")}?${query}`;
  const send = (query: Record<string, string>) =>
    fetch(target(new URLSearchParams(query).toString()), {
      method: "PUT",
      headers: { "content-type": "text/plain" },
      body: "택시비 한도는 삼만 원이다.",
    });
  const metadata = JSON.stringify({ 부서: "총무", year: 2024, tags: ["a", "b"] });
  expect((await send({ title: "택시비", url: "https://a.b/c", metadata })).status).toBe(200);
  const [hit] = await hitsOf("택시비 한도", { 부서: "총무", year: { $gte: 2024 } });
  expect(hit?.passage).toMatchObject({ title: "택시비", url: "https://a.b/c", metadata: JSON.parse(metadata) });
  await expectError(await send({ metadata: "{" }), "request_invalid", /metadata: must be a JSON object/);
  await expectError(await send({ metadata: "[1]" }), "request_invalid", /metadata/);
  await expectError(await send({ metadata: '{"a":{"b":1}}' }), "request_invalid", /metadata\.a/);
  for (const name of ["__proto__", "constructor"]) {
    await expectError(await send({ metadata: `{"${name}":"a"}` }), "request_invalid", /reserved name/);
  }
  await expectError(await send({ group: " " }), "request_invalid", /groups/);
  const sendToGroups = () =>
    fetch(target("group=hr&group=board"), {
      method: "PUT",
      headers: { "content-type": "text/plain" },
      body: "임원만 아는 글",
    });
  expect((await sendToGroups()).status).toBe(409);
  expect(await hitsOf("택시비 한도")).toContainEqual(hit);
  expect((await fetch(target(""), { method: "DELETE" })).status).toBe(200);
  expect((await sendToGroups()).status).toBe(200);
  expect(await hitsOf("임원만 아는 글")).not.toContainEqual(expect.objectContaining({ documentId: "표/한도.txt" }));
  const reader = { groups: ["board"] };
  const entry = await served.ragline.findDocument("표/한도.txt", undefined, reader);
  expect(entry?.groups).toEqual(["board", "hr"]);
});

test("uploads beyond the bound are refused with 503 while others are under way, and let in afterwards", async () => {
  const slow = Array.from({ length: 4 }, () => slowUpload(served.port, 900_000));
  await Promise.all(slow.map(({ letIn }) => letIn));
  for (const { send } of slow) await send(899_999);
  await until(async () => {
    const refused = await put("z.txt", "text/plain", "x".repeat(900_000));
    if (refused.status === 200) return false;
    expect(refused.headers.get("retry-after")).toBe("1");
    await expectError(refused, "overloaded");
    return true;
  });
  for (const { leave } of slow) leave();
  await until(async () => (await put("z.txt", "text/plain", "다시 들어간다".repeat(20_000))).ok);
});

test("documents are read and deleted however many are being received", async () => {
  const slow = Array.from({ length: 5 }, () => slowUpload(served.port, 900_000));
  await Promise.all(slow.map(({ letIn }) => letIn));
  for (const { send } of slow) await send(800_000);
  const target = `${served.url}/v1/documents`;
  // Empty: it would take the room of what is still on its way.
  await until(async () => (await put("w.txt", "text/plain", "")).status === 503);
  expect((await fetch(target)).status).toBe(200);
  expect((await fetch(`${target}/missing.txt`)).status).toBe(404);
  expect((await fetch(`${target}/missing.txt`, { method: "DELETE" })).status).toBe(404);
  for (const { leave } of slow) leave();
  await until(async () => (await put("w.txt", "text/plain", "다시 들어간다")).ok);
});

test("bytes that are declared and do not come hold nothing", async () => {
  const slow = Array.from({ length: 8 }, () => slowUpload(served.port, 900_000));
  await Promise.all(slow.map(({ letIn }) => letIn));
  expect((await put("y.txt", "text/plain", "x".repeat(900_000))).status).toBe(200);
  for (const { leave } of slow) leave();
});

/** Declares so many bytes, and sends those that it is told to; the server has let it in when it says `100 Continue`. */
function slowUpload(port: number, bytes: number) {
  const socket = connect(port, "127.0.0.1");
  const head = `PUT /v1/documents/slow.txt HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: ${bytes}`;
  socket.write(`${head}\r\nexpect: 100-continue\r\n\r\n`);
  const letIn = new Promise<void>((resolve) => socket.once("data", () => resolve()));
  const send = (count: number) => new Promise((sent) => socket.write("x".repeat(count), sent));
  return { letIn, send, leave: () => socket.destroy() };
}

test("one paragraph in ten documents is one hit that names the others", async () => {
  const text = "모든 직원은 해마다 정보 보안 교육을 두 시간 이상 반드시 받아야 한다.";
  for (let i = 0; i < 10; i++) await postJson(`${served.url}/v1/documents`, { id: `보안/${i}`, text });
  const hits = (await hitsOf("정보 보안 교육")).filter(({ passage }) => passage.documentId.startsWith("보안/"));
  expect(hits).toHaveLength(1);
  expect(hits[0]?.alsoIn).toHaveLength(9);
});

test("where others are read all the time, a document is refused as overloaded after a while", async () => {
  const busy = await serveRagline({ server: { timeoutMs: 500 }, ingest: { readTimeoutMs: 2_500 } });
  const send = (id: string, body: string) =>
    fetch(`${busy.url}/v1/documents/${id}`, { method: "PUT", headers: { "content-type": "text/markdown" }, body });
  const endless = ["a", "b"].map((id) => send(id, "[".repeat(8_000_000)));
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const late = await send("c", "plain words ".repeat(2_000));
  expect(late.headers.get("retry-after")).toBe("1");
  await expectError(late, "overloaded", /waited 0\.5 s/);
  for (const one of endless) await expectError(await one, "request_invalid", /took more than 2\.5 s/);
  await busy.close();
});

test("clients who leave while their documents are read are counted as such, and are no fault in the log", async () => {
  const { log, lines: logged } = warnings();
  const other = await serveRagline({}, log);
  onTestFinished(() => other.close());
  const document = `---\n${"가: 나\n".repeat(300)}---\n${"낱말 ".repeat(50_000)}`;
  const length = Buffer.byteLength(document);
  const head = `PUT /v1/documents/a HTTP/1.1\r\nhost: x\r\ncontent-type: text/markdown\r\ncontent-length: ${length}\r\n\r\n`;
  const CLIENTS = 30;
  for (let i = 0; i < CLIENTS; i++) {
    const socket = connect(other.port, "127.0.0.1").on("error", () => undefined);
    socket.write(head + document, () => setTimeout(() => socket.resetAndDestroy(), 2 * i));
  }
  const counted = async (outcome: string) =>
    sampleOf(await scrape(other.url), "ragline_requests_total", { route: "/v1/documents/*", outcome }) ?? 0;
  // The last ones may have been answered before they left.
  await until(async () => (await counted("cancelled")) + (await counted("ok")) === CLIENTS);
  expect(await counted("cancelled")).toBeGreaterThan(0);
  expect(logged).toEqual([]);
});
