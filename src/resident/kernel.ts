import { KERNEL_CODE, RELAXED_KERNEL_CODE } from "./kernel-code.ts";

/** A WebAssembly.Memory: shared, of fixed size. It can be posted to other threads. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
}

/** See kernel.wat and kernel-relaxed.wat. Addresses and lengths in bytes. */
export interface Kernel {
  scanFloats(query: number, rows: number, count: number, bytes: number, floor: number, out: number): number;
  scanBytes(
    query: number,
    rows: number,
    count: number,
    bytes: number,
    scales: number,
    sums: number,
    floor: number,
    out: number,
  ): number;
  /** Whether `scanBytes` is the one that wants the query in two digits. */
  readonly isRelaxed: boolean;
}

/** The part of the standard that is used here; neither TypeScript's ECMAScript library nor Node's types have it. */
interface WebAssemblyStandard {
  readonly Memory: new (of: { initial: number; maximum: number; shared: true }) => SharedMemory;
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
  validate(code: Uint8Array): boolean;
}

const { WebAssembly } = globalThis as unknown as { WebAssembly?: WebAssemblyStandard };
const PAGE_BYTES = 65_536;
const code = Buffer.from(KERNEL_CODE, "base64");
const relaxedCode = Buffer.from(RELAXED_KERNEL_CODE, "base64");

/** Whether WebAssembly with SIMD and shared memory is here; else plain loops do the same work. */
export const hasKernel = WebAssembly?.validate(code) === true;
/** Whether relaxed SIMD is here too; else kernel.wat scans the int8 vectors, with the same scores. */
export const hasRelaxedKernel = WebAssembly?.validate(relaxedCode) === true;

/** Memory that the kernel can work on and other threads can see, zeroed; null where there is no kernel. */
export function allocateShared(bytes: number): SharedMemory | null {
  if (!WebAssembly || !hasKernel) return null;
  const pages = Math.ceil(bytes / PAGE_BYTES);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

/** One thread's instances of the kernel: one a memory, made when first asked for. */
export class Kernels {
  readonly #instances = new WeakMap<SharedMemory, Kernel>();
  readonly #isRelaxed: boolean;
  #module: object | null = null;
  #relaxedModule: object | null = null;

  constructor(isRelaxed = hasRelaxedKernel) {
    this.#isRelaxed = isRelaxed;
  }

  on(memory: SharedMemory): Kernel {
    let kernel = this.#instances.get(memory);
    if (!kernel) {
      kernel = this.#instantiate(memory);
      this.#instances.set(memory, kernel);
    }
    return kernel;
  }

  #instantiate(memory: SharedMemory): Kernel {
    if (!WebAssembly) throw new Error("a shared memory without WebAssembly");
    const imports = { env: { memory } };
    this.#module ??= new WebAssembly.Module(code);
    const { scanFloats, scanBytes } = new WebAssembly.Instance(this.#module, imports).exports as Kernel;
    if (!this.#isRelaxed) return { scanFloats, scanBytes, isRelaxed: false };
    this.#relaxedModule ??= new WebAssembly.Module(relaxedCode);
    const relaxed = new WebAssembly.Instance(this.#relaxedModule, imports).exports as Pick<Kernel, "scanBytes">;
    return { scanFloats, scanBytes: relaxed.scanBytes, isRelaxed: true };
  }
}
