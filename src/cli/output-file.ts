import { constants } from "node:fs";
import { access, stat, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { RaglineError } from "../errors.ts";

/**
 * Looked at before the work whose result goes there.
 * @throws RaglineError `request_invalid`: the option's file cannot be written.
 */
export async function checkWritable(option: string, file: string): Promise<void> {
  const at = resolve(file);
  const found = await stat(at).catch(() => null);
  if (found?.isDirectory()) throw unwritable(option, file, "it is a folder");
  await access(found ? at : dirname(at), constants.W_OK).catch((cause: unknown) => {
    throw unwritable(option, file, codeOf(cause));
  });
}

/** @throws RaglineError `request_invalid` */
export async function writeOutput(option: string, file: string, text: string): Promise<void> {
  await writeFile(file, text).catch((cause: unknown) => {
    throw unwritable(option, file, codeOf(cause));
  });
}

function codeOf(cause: unknown): string {
  return (cause as NodeJS.ErrnoException).code ?? String(cause);
}

function unwritable(option: string, file: string, reason: string): RaglineError {
  return new RaglineError("request_invalid", `${option}: ${file} cannot be written (${reason})`);
}
