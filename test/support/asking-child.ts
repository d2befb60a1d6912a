import { pino } from "pino";
import { createServer } from "../../src/http/server.ts";
import { createRagline } from "../../src/index.ts";

/** `node asking-child.ts <configuration as JSON> [port]`: serves on that port or a free one, which it prints. */
const ragline = await createRagline(JSON.parse(process.argv[2] ?? "{}"), { log: pino({ level: "silent" }) });
const app = await createServer(ragline);
process.stdout.write(`${await app.listen({ port: Number(process.argv[3] ?? 0), host: "127.0.0.1" })}\n`);
