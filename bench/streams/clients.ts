import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { answerParent } from "../child.ts";
import { question } from "../corpus.ts";

/** The readers, and the model that they wait for: it writes one token of each answer, then nothing. */
const TOKEN = `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", choices: [{ index: 0, delta: { content: "Wait" } }] })}\n\n`;
const upstream = createServer((incoming: IncomingMessage, response: ServerResponse) => {
  incoming.resume();
  incoming.on("end", () => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(TOKEN);
  });
});

/** Who is refused since too many come at once asks again, as `retry-after` says. */
const AGAIN_AFTER_MS = 1_000;

const streams: IncomingMessage[] = [];

const commands = {
  async upstream(): Promise<string> {
    await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/v1`;
  },
  /** Opens so many streams, `atOnce` at a time; each counts once its first text has come. */
  async open(url: string, count: number, atOnce = 50): Promise<number> {
    let begun = 0;
    const next = async (): Promise<void> => {
      while (begun < count) streams.push(await open(url, begun++));
    };
    await Promise.all(Array.from({ length: atOnce }, next));
    return streams.length;
  },
  /** Of those opened, how many are open still. */
  openStreams: () => streams.filter(({ destroyed }) => !destroyed).length,
  close(): void {
    for (const stream of streams.splice(0)) stream.destroy();
  },
};
export type StreamClientCommands = typeof commands;

function open(url: string, number: number): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", accept: "text/event-stream" };
    const outgoing = request(`${url}/v1/ask`, { method: "POST", headers, agent: false }, (incoming) => {
      if (incoming.statusCode === 503) {
        incoming.resume();
        setTimeout(() => open(url, number).then(resolve, reject), AGAIN_AFTER_MS);
        return;
      }
      if (incoming.statusCode !== 200) reject(new Error(`status ${incoming.statusCode}`));
      let text = "";
      incoming.setEncoding("utf8");
      incoming.on("error", () => undefined);
      incoming.on("data", function read(piece: string) {
        text += piece;
        if (!text.includes("event: text-delta")) return;
        incoming.off("data", read);
        incoming.resume();
        resolve(incoming);
      });
      incoming.on("close", () => reject(new Error(`closed: ${text.slice(-200)}`)));
    });
    outgoing.on("error", reject);
    outgoing.end(JSON.stringify({ question: question(number) }));
  });
}

answerParent(commands, () => commands.close());
