import type { ReindexProgress } from "../index.ts";
import { createLine } from "./progress.ts";
import { asTenant, withRagline } from "./session.ts";

/** `ragline reindex`: embeds a collection with the configured embedder, and swaps. */
export async function reindexCommand(
  configFile: string | undefined,
  { tenant, ...options }: { readonly tenant?: string; readonly collection?: string },
): Promise<void> {
  await withRagline(
    configFile,
    async (ragline, signal) => {
      const line = createLine(process.stderr);
      const onProgress = (progress: ReindexProgress) =>
        line.update(() => shown(progress), progress.embedded >= progress.passages);
      try {
        const report = await ragline.reindex({ ...options, signal, onProgress });
        line.end();
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
        line.end();
      }
    },
    { warm: false, change: asTenant(tenant) },
  );
}

function shown({ passages, embedded }: ReindexProgress): string {
  const share = passages === 0 ? 100 : Math.floor((embedded * 100) / passages);
  return `embedding: ${share}% · ${embedded.toLocaleString("en")} of ${passages.toLocaleString("en")} passages`;
}
