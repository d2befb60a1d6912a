import { Database } from "../adapters/sqlite/database.ts";
import { closeAll, type Part } from "../wrap/close-all.ts";

/** What a composition has opened, to be closed as a whole. */
export class Opened {
  readonly #databases = new Map<string, Database>();
  readonly #parts: Part[] = [];

  /** One for each file. @throws RaglineError See `Database.open` */
  readonly database = (file: string): Database => {
    const opened = this.#databases.get(file) ?? Database.open(file);
    this.#databases.set(file, opened);
    return opened;
  };

  /** The same part, which `close` closes. */
  keep<T extends Part | null>(part: T): T {
    if (part) this.#parts.push(part);
    return part;
  }

  /** The latest first, the databases last. @throws what the first failed with that could not be closed, once all others are */
  close(): Promise<void> {
    return closeAll([...this.#databases.values(), ...this.#parts].reverse());
  }
}

/** What `compose` makes, with `close` of all that it opened, which is closed at once where it fails. @throws what `compose` does */
export async function opening<T extends object>(
  compose: (opened: Opened) => Promise<T>,
): Promise<T & { close(): Promise<void> }> {
  const opened = new Opened();
  try {
    return { ...(await compose(opened)), close: () => opened.close() };
  } catch (thrown) {
    // What keeps it from opening may keep it from closing too.
    await opened.close().catch(() => undefined);
    throw thrown;
  }
}
