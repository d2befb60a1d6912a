import { RaglineError } from "../errors.ts";
import { withRagline } from "./session.ts";

/** `ragline erase`: deletes a tenant's collection, or refuses to where `--yes` is not said. */
export async function eraseCommand(
  configFile: string | undefined,
  { tenant, collection, yes }: { readonly tenant: string; readonly collection: string; readonly yes?: true },
): Promise<void> {
  if (!yes) {
    const reason = `erase deletes all documents and conversations of ${tenant}/${collection} for good; say --yes to do it`;
    throw new RaglineError("request_invalid", reason);
  }
  await withRagline(
    configFile,
    async (ragline, signal) => {
      const { documents, sessions } = await ragline.erase({ collection }, { tenant, signal });
      console.log(`${tenant}/${collection}: ${documents} documents, ${sessions} conversations erased`);
    },
    { warm: false },
  );
}
