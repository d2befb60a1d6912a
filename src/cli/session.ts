import { loadConfig } from "../config.ts";
import { type Config, createRagline, type Ragline } from "../index.ts";

/** Opens a Ragline for one command and closes it whatever happens. Ctrl-C aborts the signal; a second one ends the process. */
export async function withRagline<T>(
  configFile: string | undefined,
  use: (ragline: Ragline, signal: AbortSignal) => Promise<T>,
  change: (config: Config) => Config = (config) => config,
): Promise<T> {
  const ragline = await createRagline(change(loadConfig(configFile)));
  const stop = stopSignal();
  try {
    return await use(ragline, stop.signal);
  } finally {
    stop.release();
    await ragline.close();
  }
}

function stopSignal(): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  return {
    signal: controller.signal,
    release() {
      process.off("SIGINT", stop);
      process.off("SIGTERM", stop);
    },
  };
}
