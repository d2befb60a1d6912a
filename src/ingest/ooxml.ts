import { posix } from "node:path";
import { RaglineError } from "../errors.ts";
import { parseXml } from "./xml.ts";
import { xmlParts } from "./zip.ts";

/** How an encrypted document, or one of before 2007, begins. */
const COMPOUND_FILE = Buffer.from("d0cf11e0a1b11ae1", "hex");

/**
 * @param old what files of before 2007 were called
 * @throws RaglineError `request_invalid` with the bare reason: encrypted, or of before 2007
 */
export function refuseOldOrEncrypted(archive: Buffer, old: string, now: string): void {
  if (!archive.subarray(0, COMPOUND_FILE.length).equals(COMPOUND_FILE)) return;
  throw new RaglineError(
    "request_invalid",
    `is encrypted, or a ${old} of before 2007: save it as ${now} without a password`,
  );
}

/** The XML parts of an Office Open XML document (ECMA-376). */
export class Parts {
  readonly #parts: ReadonlyMap<string, Buffer>;

  /** @throws RaglineError as `xmlParts` does */
  constructor(archive: Buffer) {
    this.#parts = new Map(xmlParts(archive));
  }

  get(path: string): Buffer | undefined {
    return this.#parts.get(path);
  }

  /** What a part refers to, by the reference's id: paths of parts. */
  references(path: string): ReadonlyMap<string, { readonly path: string; readonly type: string }> {
    const { dir, base } = posix.parse(path);
    const found = new Map<string, { path: string; type: string }>();
    const xml = this.get(`${dir}/_rels/${base}.rels`);
    if (xml) {
      parseXml(xml, {
        open(name, { Id: id = "", Target: target = "", Type: type = "", TargetMode: mode }) {
          if (name !== "Relationship" || mode === "External") return;
          found.set(id, { path: target.startsWith("/") ? target.slice(1) : posix.join(dir, target), type });
        },
      });
    }
    return found;
  }
}
