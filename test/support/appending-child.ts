import { createSqliteSessionStore } from "../../src/adapters/session-store/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import { append } from "./sessions.ts";

/** `node appending-child.ts <file> <session id>`: appends turns until it is killed; prints each acknowledged request id. */
const [file = "", sessionId = ""] = process.argv.slice(2);
const store = createSqliteSessionStore(Database.open(file), { leaseMs: 60_000, pendingMax: 64 });

async function appendForEver(lane: number): Promise<void> {
  for (let i = 0; ; i++) {
    const requestId = `${process.pid}-${lane}-${i}`;
    const words = { question: "질문", query: "질문", answer: "답 ".repeat(200) };
    const turn = { requestId, ...words, status: "complete", tokens: 5, at: "2025-01-01T00:00:00Z" } as const;
    await append(store, sessionId, turn);
    process.stdout.write(`${requestId}\n`);
  }
}

for (let lane = 0; lane < 4; lane++) void appendForEver(lane);
