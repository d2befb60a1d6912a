import { setImmediate as nextTurn } from "node:timers/promises";

/**
 * Resolves when calls made before are on the wire. Two turns of the event loop: undici looks at an idle connection for one before
 * it writes to it (client-h1.js, idle socket validation).
 */
export async function callsSent(): Promise<void> {
  await nextTurn();
  await nextTurn();
}
