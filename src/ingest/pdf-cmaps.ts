import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Character maps of Korean fonts that bring none of their own; beside the sources, and beside what is built. */
const FOLDER = fileURLToPath(new URL("../../assets/cmaps/", import.meta.url));

const LANGUAGES: readonly (readonly [RegExp, string])[] = [
  [/^(?:Adobe-GB1|UniGB|GB)/, "Chinese"],
  [/^(?:Adobe-CNS1|UniCNS|B5|ET|HK|CNS)/, "Chinese"],
  [/^(?:Adobe-Japan1|UniJIS|78|83|90|Add|Ext|EUC|Hankaku|Hiragana|Katakana|NWP|RKSJ|Roman|WP|H$|V$)/, "Japanese"],
];

/** The maps as the PDF parser asks for them; `missing` gets the languages of those that are not here. */
export function characterMaps(missing: Set<string>) {
  return class CharacterMaps {
    async fetch({ filename }: { readonly filename: string }): Promise<Uint8Array> {
      try {
        return new Uint8Array(await readFile(join(FOLDER, basename(filename))));
      } catch (thrown) {
        // A standard font's outlines are asked for in the same way; text does not need them.
        if (filename.endsWith(".bcmap"))
          missing.add(LANGUAGES.find(([name]) => name.test(filename.replace(/\.bcmap$/, "")))?.[1] ?? filename);
        throw thrown;
      }
    }
  };
}
