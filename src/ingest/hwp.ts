import { readFile } from "node:fs/promises";
import { RaglineError } from "../errors.ts";
import type { ParsedText } from "./document.ts";
import { parseHwpx } from "./hwpx.ts";

const PACKAGE = "@rhwp/core";
type Rhwp = typeof import("@rhwp/core");

/** How an archive begins, and so an HWPX document. */
const ARCHIVE = "PK";

/** Names of what WebAssembly throws when it traps; the second where its stack overflows. */
const TRAPS = new Set(["RuntimeError", "RangeError"]);

let loading: Promise<Rhwp> | null = null;
let broken = 0;

/**
 * Parses a document of Hancom Office, whatever its name says it is: HWPX here, HWP (3 and 5, those for distribution included) after
 * `@rhwp/core` has made HWPX of it.
 * @throws RaglineError `request_invalid` with the bare reason, also where that package is not installed
 */
export async function parseHancom(bytes: Uint8Array): Promise<ParsedText> {
  const isArchive = Buffer.from(bytes.subarray(0, ARCHIVE.length)).toString("latin1") === ARCHIVE;
  return parseHwpx(isArchive ? bytes : await toHwpx(bytes));
}

async function toHwpx(bytes: Uint8Array): Promise<Uint8Array> {
  loading ??= load();
  const { HwpDocument } = await loading.catch((cause: unknown) => {
    loading = null;
    const reason = `is HWP, which takes a package to read: npm install ${PACKAGE}@0.8`;
    throw new RaglineError("request_invalid", reason, { cause });
  });
  let document: InstanceType<Rhwp["HwpDocument"]> | undefined;
  try {
    document = new HwpDocument(bytes);
    return document.exportHwpx();
  } catch (cause) {
    if (cause instanceof Error && TRAPS.has(cause.name)) discard();
    const isEncrypted = /비밀번호|암호/.test(String(cause));
    throw new RaglineError(
      "request_invalid",
      isEncrypted
        ? "is encrypted: save it without a password"
        : "is damaged, locked by software that protects documents (DRM), or no HWP document",
      { cause },
    );
  } finally {
    if (document) free(document);
  }
}

/** Of one that broke as well, which throws: else its finalizer would, which ends the process. */
function free(document: InstanceType<Rhwp["HwpDocument"]>): void {
  try {
    document.free();
  } catch {
    discard();
  }
}

/** The instance, whose memory is in no known state any more. */
function discard(): void {
  loading = null;
  broken++;
}

/** Another instance after each that broke. */
async function load(): Promise<Rhwp> {
  const script = import.meta.resolve(PACKAGE);
  const rhwp = (await import(broken > 0 ? `${script}?${broken}` : script)) as Rhwp;
  rhwp.initSync({ module: await readFile(new URL("rhwp_bg.wasm", script)) });
  return rhwp;
}
