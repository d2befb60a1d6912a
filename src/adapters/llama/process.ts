import type { LlamaChat } from "node-llama-cpp";
import { generate } from "./generation.ts";
import { importLlama, openLlama } from "./library.ts";
import type { FromLlama, LlamaOutcome, LlamaSettings, ToLlama } from "./protocol.ts";

/** The process that a GGUF model lives in. It ends with its parent, at once, whatever the native side is at. */
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));

const settings = JSON.parse(process.argv[2] ?? "{}") as LlamaSettings;
const running = new Map<number, AbortController>();

function tell(message: FromLlama): void {
  if (process.connected) process.send?.(message);
}

/** One chat a sequence. */
async function load(): Promise<LlamaChat[]> {
  const library = await importLlama();
  const { llama, complaints } = await openLlama(library, settings.threads);
  const model = await llama.loadModel({ modelPath: settings.file }).catch((thrown: unknown) => {
    throw new Error(`${String(thrown)} ${complaints()}`);
  });
  const { contextTokensMax: contextSize, sequences, threads } = settings;
  const context = await model.createContext({ contextSize, sequences, threads });
  const chatWrapper = library.resolveChatWrapper(model);
  return Array.from(
    { length: sequences },
    () => new library.LlamaChat({ contextSequence: context.getSequence(), chatWrapper }),
  );
}

async function answer(chat: LlamaChat, request: ToLlama & { type: "generate" }): Promise<LlamaOutcome> {
  const { id, messages, maxOutputTokens } = request;
  const controller = new AbortController();
  running.set(id, controller);
  try {
    const onText = (text: string) => tell({ type: "text", id, text });
    return await generate({ ...settings, chat, messages, maxOutputTokens, signal: controller.signal, onText });
  } catch (thrown) {
    if (controller.signal.aborted) return { type: "cancelled" };
    return { type: "failed", reason: String(thrown) };
  } finally {
    running.delete(id);
  }
}

try {
  const free = await load();
  process.on("message", (request: ToLlama) => {
    if (request.type === "cancel") {
      running.get(request.id)?.abort();
      return;
    }
    const { id } = request;
    const chat = free.pop();
    if (!chat) {
      tell({ type: "outcome", id, outcome: { type: "failed", reason: "no sequence is free" } });
      return;
    }
    void answer(chat, request).then((outcome) => {
      free.push(chat);
      tell({ type: "outcome", id, outcome });
    });
  });
  tell({ type: "ready" });
} catch (thrown) {
  tell({ type: "unusable", reason: thrown instanceof Error ? thrown.message : String(thrown) });
}
