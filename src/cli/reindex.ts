import type { ReindexProgress } from "../index.ts";
import { withRagline } from "./session.ts";

const LINE_EVERY_MS = 3_000;
const REDRAW_EVERY_MS = 80;

/** `ragline reindex`: embeds a collection with the configured embedder, and swaps. */
export async function reindexCommand(
  configFile: string | undefined,
  options: { readonly collection?: string },
): Promise<void> {
  await withRagline(
    configFile,
    async (ragline, signal) => {
      const progress = createLine();
      try {
        const report = await ragline.reindex({ ...options, signal, onProgress: progress.update });
        progress.end();
        await ragline.warm(options.collection, { signal, settle: true });
        const { from, to, passages, embedded, resumed, elapsedMs } = report;
        if (from === null) console.log("nothing is indexed: `ragline index <path>` uses the configured embedder");
        else if (from === to) console.log(`already indexed with ${to}`);
        else {
          const earlier = resumed > 0 ? `, ${resumed} taken over from an earlier run` : "";
          const seconds = (elapsedMs / 1000).toFixed(1);
          console.log(`${from} → ${to}: ${passages} passages, ${embedded} embedded in ${seconds} s${earlier}`);
          console.log("servers that are configured with the new embedder answer from now on; restart the others");
        }
      } finally {
        progress.end();
      }
    },
    { warm: false },
  );
}

function createLine() {
  const { stderr } = process;
  let drawnAt = Number.NEGATIVE_INFINITY;
  let isOpen = false;
  return {
    update: ({ passages, embedded }: ReindexProgress) => {
      const now = performance.now();
      if (now - drawnAt < (stderr.isTTY ? REDRAW_EVERY_MS : LINE_EVERY_MS)) return;
      drawnAt = now;
      const share = passages === 0 ? 100 : Math.floor((embedded * 100) / passages);
      const line = `embedding: ${share}% · ${embedded.toLocaleString("en")} of ${passages.toLocaleString("en")} passages`;
      stderr.write(stderr.isTTY ? `\r${line}\x1b[K` : `${line}\n`);
      isOpen = stderr.isTTY;
    },
    end: () => {
      if (isOpen) stderr.write("\n");
      isOpen = false;
    },
  };
}
