import { emulationNote } from "../emulation.ts";
import { asTenant, groupsNamed, withRagline } from "./session.ts";

/** `ragline status`: what is indexed, and what each stage runs on. Exit code 1 where no question could be answered now, as of /readyz. */
export async function statusCommand(
  configFile: string | undefined,
  options: {
    readonly tenant?: string;
    readonly group: readonly string[];
    readonly collection?: string;
    readonly json?: true;
  },
): Promise<void> {
  const groups = groupsNamed(options.group);
  await withRagline(
    configFile,
    async (ragline) => {
      const caller = groups.length > 0 ? { groups } : {};
      const status = await ragline.status(options.collection, caller);
      const { missing, degraded } = await ragline.ready(caller, options.collection);
      if (missing.length > 0) process.exitCode = 1;
      if (options.json) {
        console.log(JSON.stringify({ ...status, missing }));
        return;
      }
      const { version, tenant, collection, documents, passages, indexedWith, fusion, stages, emulated } = status;
      console.log(`ragline ${version}`);
      if (documents !== null) console.log(`${tenant}/${collection}: ${documents} documents, ${passages} passages`);
      if (indexedWith) console.log(`indexed with ${indexedWith}`);
      for (const [step, use] of Object.entries(stages)) console.log(`  ${step.padEnd(9)}${use}`);
      if (emulated.length > 0) console.log(emulationNote(emulated));
      for (const { step, endpoint, breaker, calls, failures } of status.endpoints) {
        console.log(`  ${step.padEnd(9)}${endpoint}: breaker ${breaker}, ${calls} calls, ${failures} failures`);
      }
      console.log(
        `fusion ${fusion.from}: what vectors weigh where none of a question's words are found, and where all are`,
      );
      for (const [language, { uncovered, covered, questions }] of Object.entries(fusion.weights)) {
        const from = fusion.from === "learned" ? `, from ${questions} questions` : "";
        console.log(`  ${language.padEnd(9)}${uncovered.toFixed(2)} to ${covered.toFixed(2)}${from}`);
      }
      for (const what of missing) console.log(`not ready: ${what}`);
      for (const what of degraded) console.log(`degraded: ${what}`);
    },
    { warm: false, change: asTenant(options.tenant) },
  );
}
