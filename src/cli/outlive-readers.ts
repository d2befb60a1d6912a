/** From now on the end of whoever reads its output is no end of this process: a server's streams are others'. */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.removeAllListeners("error").on("error", () => undefined);
  }
}
