import fc from "fast-check";
import { expect, test } from "vitest";
import { createRagline, type Ragline } from "../../src/index.ts";
import { type Folder, temporaryFolder } from "../support/folder.ts";

/** One process's life: what it writes, or deletes, before it ends and what it has learned is stored. */
const PHASES = {
  "6 for everyone": { count: 6, groups: [], isDeleted: false },
  "16 for everyone": { count: 16, groups: [], isDeleted: false },
  "24 for the board": { count: 24, groups: ["board"], isDeleted: false },
  "24 of the board go": { count: 24, groups: ["board"], isDeleted: true },
} as const;
type Phase = (typeof PHASES)[keyof typeof PHASES];

const OPEN = ["travel", "leave", "laptop", "security", "bonus", "training"];
const SECRET = ["인수합병", "구조조정", "특별상여", "감사", "소송"];
const QUESTIONS = ["휴가는 며칠인가요?", "When is the laptop form due?", "인수합병 예산"];

const open = (folder: Folder, name: string): Promise<Ragline> =>
  createRagline({
    search: { use: "sqlite", file: folder.file(`${name}.db`) },
    session: { use: "sqlite", file: folder.file(`${name}.db`) },
    cache: { use: "none" },
    log: { level: "silent" },
  });

async function live(folder: Folder, name: string, { count, groups, isDeleted }: Phase, from: number): Promise<void> {
  const ragline = await open(folder, name);
  for (let i = from; i < from + count; i++) {
    const id = groups.length > 0 ? `secret-${i}` : `open-${i}`;
    if (isDeleted) await ragline.deleteDocument(id, undefined, { groups });
    else await ragline.addDocument({ id, groups: [...groups], text: groups.length > 0 ? secret(i) : guide(i) });
  }
  await ragline.close();
}

function guide(i: number): string {
  const what = OPEN[i % OPEN.length];
  return `# Guide ${i}\n\nThe ${what} policy ${i} says that employees submit the ${what} form within ${i + 3} days. Managers of team ${i} approve it.`;
}

function secret(i: number): string {
  const what = SECRET[i % SECRET.length];
  return `# ${what} ${i}\n\n${what} 규정 ${i}조는 ${i + 2}일 이내에 신청서를 제출해야 한다고 정한다. 담당 부서는 ${i}팀이며 ${what} 예산은 ${i}00만원이다.`;
}

async function seen(folder: Folder, name: string) {
  const ragline = await open(folder, name);
  const { documents, passages, indexedWith, fusion } = await ragline.status();
  const hits = [];
  for (const query of QUESTIONS) {
    const found = await ragline.search({ query, top: 5 });
    hits.push(found.hits.map(({ passage, score }) => [passage.id, score]));
  }
  await ragline.close();
  return { documents, passages, indexedWith, fusion, hits };
}

test("what is learned, and when, is as if documents for groups did not exist", { timeout: 240_000 }, async () => {
  const folder = temporaryFolder();
  let made = 0;
  const lives = fc.array(fc.constantFrom(...Object.values(PHASES)), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(lives, async (phases) => {
      const [all, own] = [`${++made}`, `${++made}`];
      let from = 0;
      for (const phase of phases) {
        const start = phase.isDeleted ? Math.max(0, from - phase.count) : from;
        await live(folder, all, phase, start);
        if (phase.groups.length === 0) await live(folder, own, phase, start);
        from += phase.count;
      }
      expect(await seen(folder, all)).toEqual(await seen(folder, own));
    }),
    {
      numRuns: 5,
      examples: [
        [[PHASES["6 for everyone"], PHASES["24 for the board"]]],
        [[PHASES["24 for the board"], PHASES["24 of the board go"], PHASES["6 for everyone"]]],
        [[PHASES["16 for everyone"], PHASES["24 for the board"], PHASES["24 of the board go"]]],
      ],
    },
  );
  folder.remove();
});
