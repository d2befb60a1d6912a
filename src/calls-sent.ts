/**
 * Resolves when calls made before are on the wire. Two turns of the event loop: undici looks at an idle connection for one before
 * it writes to it (client-h1.js, idle socket validation).
 */
export function callsSent(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(() => setImmediate(resolve));
  });
}
