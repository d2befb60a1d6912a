import type { Model, ModelInput, ModelOutput } from "./inference.ts";
import type { ModelSpec } from "./model-files.ts";

export type ToModel = { readonly load: ModelSpec } | { readonly id: number; readonly inputs: readonly ModelInput[] };
export type FromModel =
  | { readonly loaded: true }
  | { readonly unloadable: string }
  | { readonly id: number; readonly output: ModelOutput }
  | { readonly id: number; readonly failed: string };

/** The process that one model lives in: loads it, then runs one batch after another in the order in which they come. */
let loading: Promise<Model> | null = null;
let turn: Promise<void> = Promise.resolve();

process.on("disconnect", () => process.exit());
process.on("message", (message: ToModel) => {
  if ("load" in message) {
    loading = load(message.load);
    loading.then(
      () => send({ loaded: true }),
      (thrown: unknown) => send({ unloadable: String(thrown) }),
    );
  } else turn = turn.then(() => run(message.id, message.inputs));
});

async function load(spec: ModelSpec): Promise<Model> {
  const { loadModel } = await import("./inference.ts");
  return loadModel(spec);
}

async function run(id: number, inputs: readonly ModelInput[]): Promise<void> {
  try {
    const model = await loading;
    if (!model) throw new Error("no model was named");
    send({ id, output: await model(inputs) });
  } catch (thrown) {
    send({ id, failed: String(thrown) });
  }
}

function send(message: FromModel): void {
  process.send?.(message);
}
