import { open } from "node:fs/promises";
import { RaglineError } from "../../errors.ts";
import { importLlama } from "./library.ts";

const MAGIC = "GGUF";

export interface Gguf {
  /** The longest window that the model was trained with. */
  readonly contextTokensTrained: number;
}

/**
 * What the file says of itself, read without native code.
 * @throws RaglineError `config_invalid`: no file, or no language model in GGUF.
 */
export async function readGguf(file: string): Promise<Gguf> {
  await checkMagic(file);
  const { readGgufFileInfo } = await importLlama();
  const options = { sourceType: "filesystem", readTensorInfo: false, logWarnings: false } as const;
  const { metadata } = await readGgufFileInfo(file, options).catch((cause: unknown) => {
    throw new RaglineError("config_invalid", `generate.model: ${file} is cut or damaged.`, { cause });
  });
  const { architecture } = metadata.general;
  const sizes = metadata[architecture] as { readonly context_length?: number } | undefined;
  if (!sizes?.context_length || !metadata.tokenizer?.ggml) {
    throw new RaglineError("config_invalid", `generate.model: ${file} (${architecture}) is no language model.`);
  }
  return { contextTokensTrained: sizes.context_length };
}

async function checkMagic(file: string): Promise<void> {
  const handle = await open(file).catch((cause: NodeJS.ErrnoException) => {
    const message = `generate.model: ${file} cannot be read (${cause.code}). Nothing is downloaded: put a chat model in GGUF there, for example SmolLM2, Qwen3 or Gemma from a model hub, and name its path.`;
    throw new RaglineError("config_invalid", message, { cause });
  });
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, 0).catch(() => {
      throw new RaglineError("config_invalid", `generate.model: ${file} is no file.`);
    });
    if (buffer.toString("latin1", 0, bytesRead) !== MAGIC) {
      const message = `generate.model: ${file} is no GGUF file (its first bytes are not "${MAGIC}"). Safetensors have to be converted first, with llama.cpp's convert_hf_to_gguf.py.`;
      throw new RaglineError("config_invalid", message);
    }
  } finally {
    await handle.close();
  }
}
