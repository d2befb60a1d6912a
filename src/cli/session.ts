import { loadConfig } from "../config.ts";
import { type Config, createRagline, type Ragline } from "../index.ts";

/** Opens a Ragline for one command and closes it whatever happens. Ctrl-C aborts the signal; a second one ends the process. */
export async function withRagline<T>(
  configFile: string | undefined,
  use: (ragline: Ragline, signal: AbortSignal) => Promise<T>,
  options: { readonly change?: (config: Config) => Config; readonly warm?: boolean } = {},
): Promise<T> {
  const { change = (config) => config, warm = true } = options;
  const ragline = await createRagline(change(loadConfig(configFile)), { warm });
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
