import type { Step } from "./types.ts";

/** What stands wherever figures of emulated stages do. */
export function emulationNote(steps: readonly Step[]): string {
  return `emulated: ${steps.join(", ")}; their times are drawn by \`use: simulated\`, not measured on a model`;
}
