import { posix } from "node:path";
import { RaglineError } from "../errors.ts";
import { type Attributes, parseXml } from "./xml.ts";
import { xmlParts } from "./zip.ts";

/** How an encrypted document, or one of before 2007, begins. */
const COMPOUND_FILE = Buffer.from("d0cf11e0a1b11ae1", "hex");
/** What such a file calls an encrypted document in it. */
const ENCRYPTED = Buffer.from("EncryptedPackage", "utf16le");
const MAIN = "/officeDocument";
/** From the beginning of a part to the end of its first tag. */
const ROOT_BYTES_MAX = 16_384;
const MB = 1_000_000;
/** Of all parts that are read, as often as they are. */
const READ_BYTES_MAX = 128 * MB;

/**
 * @param old what files of before 2007 were called
 * @throws RaglineError `request_invalid` with the bare reason: encrypted, or of before 2007
 */
export function refuseOldOrEncrypted(archive: Buffer, old: string, now: string): void {
  if (!archive.subarray(0, COMPOUND_FILE.length).equals(COMPOUND_FILE)) return;
  if (archive.includes(ENCRYPTED))
    throw new RaglineError("request_invalid", "is encrypted: save it without a password");
  throw new RaglineError(
    "request_invalid",
    `is encrypted, or a ${old} of before 2007: save it as ${now} without a password`,
  );
}

export interface DocumentFormat {
  /** Without its dot; that of before 2007 has no `x`. */
  readonly ending: "docx" | "pptx" | "xlsx";
  /** The part with which a document begins, where its archive names none. */
  readonly usual: string;
  /** That part's outermost element. */
  readonly root: string;
}

/**
 * The parts of an Office Open XML document, and the one with which it begins.
 * @throws RaglineError `request_invalid` with the bare reason: encrypted, of before 2007, or another archive; and as `xmlParts` does
 */
export function openDocument(
  bytes: Uint8Array,
  { ending, usual, root }: DocumentFormat,
): { readonly parts: Parts; readonly path: string; readonly xml: Buffer } {
  const archive = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  refuseOldOrEncrypted(archive, `.${ending.slice(0, -1)}`, `.${ending}`);
  const parts = new Parts(archive);
  const named = [...parts.references("").values()].find(({ type }) => type.endsWith(MAIN));
  const path = named && parts.has(named.path) ? named.path : usual;
  const xml = parts.get(path);
  if (xml && rootOf(xml)?.name === root) return { parts, path, xml };
  throw new RaglineError("request_invalid", `is no ${ending.toUpperCase()} document: it has no ${root}`);
}

/** The outermost element of a part. */
export function rootOf(xml: Buffer): { readonly name: string; readonly attributes: Attributes } | undefined {
  let root: { name: string; attributes: Attributes } | undefined;
  parseXml(xml.subarray(0, ROOT_BYTES_MAX), {
    open(name, attributes) {
      root ??= { name, attributes };
    },
  });
  return root;
}

/** The XML parts of an Office Open XML document (ECMA-376), by names in which case makes no difference. */
export class Parts {
  readonly #parts: ReadonlyMap<string, Buffer>;
  #left = READ_BYTES_MAX;

  /** @throws RaglineError as `xmlParts` does */
  constructor(archive: Buffer) {
    this.#parts = new Map([...xmlParts(archive)].map(([name, xml]) => [name.toLowerCase(), xml]));
  }

  has(path: string): boolean {
    return this.#parts.has(path.toLowerCase());
  }

  /** @throws RaglineError `request_invalid` with the bare reason: parts are referred to again and again */
  get(path: string): Buffer | undefined {
    const xml = this.#parts.get(path.toLowerCase());
    this.#left -= xml?.length ?? 0;
    if (this.#left >= 0) return xml;
    throw new RaglineError("request_invalid", `refers to more than ${READ_BYTES_MAX / MB} MB of text`);
  }

  /** What a part refers to, by the reference's id: paths of parts. An empty path: what the archive refers to. */
  references(path: string): ReadonlyMap<string, { readonly path: string; readonly type: string }> {
    const { dir, base } = posix.parse(path);
    const found = new Map<string, { path: string; type: string }>();
    const xml = this.get(posix.join(dir, `_rels/${base}.rels`));
    if (xml) {
      parseXml(xml, {
        open(name, { Id: id = "", Target: target = "", Type: type = "", TargetMode: mode }) {
          if (name !== "Relationship" || mode === "External") return;
          const unescaped = target.includes("%") ? decoded(target) : target;
          found.set(id, {
            path: unescaped.startsWith("/") ? unescaped.slice(1) : posix.join(dir, unescaped),
            type,
          });
        },
      });
    }
    return found;
  }
}

function decoded(target: string): string {
  try {
    return decodeURIComponent(target);
  } catch {
    return target;
  }
}

/** The id by which an element refers to a part: `r:id`, however its namespace is called. */
export function referenceOf(attributes: Attributes, name = "id"): string {
  const found = Object.keys(attributes).find((key) => key.endsWith(`:${name}`));
  return found === undefined ? "" : (attributes[found] ?? "");
}

/** As XML Schema writes what is true. */
export function isSet(value: string | undefined): boolean {
  return value === "1" || value === "true";
}

/** Of a property of text that is on where its element says nothing else. */
export function isOn(value: string): boolean {
  return value === "" || isSet(value) || value === "on";
}

/** Whether a background's color, RGB with or without alpha, is one that is seen. */
export function isShade(color: string): boolean {
  return color !== "" && !/^(?:auto|none|#?(?:ff)?ffffff)$/i.test(color);
}
