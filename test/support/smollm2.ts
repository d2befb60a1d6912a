import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const SHARED = process.env.RAGLINE_SHARED ?? join(import.meta.dirname, "../../../shared");
const FETCH = join(SHARED, "tools/get-smollm2");
const FOLDER = process.env.RAGLINE_MODELS ?? join(homedir(), ".cache/ragline/models");
const NAME = "SmolLM2-135M-Instruct.Q4_1.gguf";
const FETCH_TIMEOUT_MS = 240_000;

/** The path of SmolLM2-135M-Instruct (98 MB), fetched once into `RAGLINE_MODELS` (~/.cache/ragline/models); null, said aloud, where it cannot be had. */
export function smollm2(): string | null {
  const file = join(FOLDER, NAME);
  if (existsSync(file)) return file;
  const reason = existsSync(FETCH) ? fetched() : `${FETCH} is absent`;
  if (reason === null && existsSync(file)) return file;
  console.warn(`skipped: no SmolLM2 (${reason}); put ${NAME} into ${FOLDER}, or set RAGLINE_MODELS`);
  return null;
}

/** Null, or why it could not be fetched. */
function fetched(): string | null {
  const { status, stderr, error } = spawnSync(FETCH, [FOLDER], { encoding: "utf8", timeout: FETCH_TIMEOUT_MS });
  return status === 0 ? null : (error?.message ?? stderr.trim().slice(-300));
}
