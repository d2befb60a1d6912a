import { renameSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { packO200k } from "../../src/adapters/token-counter/o200k-vocabulary.ts";

const FILE = fileURLToPath(new URL("../../src/adapters/token-counter/o200k_base.tokens", import.meta.url));

/**
 * Puts the packed vocabulary where the build would, as long as tests run: a checkout without it packs its own in every process, which is a third
 * of what starting one costs.
 */
export default function packedVocabulary(): () => void {
  const written = `${FILE}.${process.pid}`;
  writeFileSync(written, packO200k());
  renameSync(written, FILE);
  return () => rmSync(FILE, { force: true });
}
