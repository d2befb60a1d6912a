import { stripVTControlCharacters, styleText } from "node:util";

/** What the bar shows of a run. */
export interface Progress {
  readonly documents: number;
  readonly failures: number;
  readonly bytes: number;
}

export interface ProgressReporter {
  update(progress: Progress): void;
  /** Leaves the cursor on a clean line. Call it however the run ends; more than once does no harm. */
  end(): void;
}

export interface ProgressOptions {
  readonly stream: Pick<NodeJS.WriteStream, "write" | "isTTY" | "columns">;
  /** Of all sources, for the percentage and the time left; 0: unknown. */
  readonly bytesTotal: number;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
}

/** Often enough to look alive on a terminal; rarely enough for a log. */
const BAR_EVERY_MS = 80;
const LINE_EVERY_MS = 3_000;
const BAR_WIDTH = 24;
/** Before this the rate is a guess. */
const SETTLED_MS = 1_000;

/** Shows how far indexing has come: one line that redraws itself on a terminal, now and then a plain line elsewhere. */
export function createProgress(options: ProgressOptions): ProgressReporter {
  const { stream, bytesTotal, now = () => performance.now() } = options;
  const startedAt = now();
  let drawnAt = stream.isTTY ? Number.NEGATIVE_INFINITY : startedAt;
  let last: Progress | null = null;

  function draw(progress: Progress): void {
    drawnAt = now();
    const figures = figuresOf(progress, bytesTotal, drawnAt - startedAt);
    if (!stream.isTTY) stream.write(`indexing: ${figures.join(" · ")}\n`);
    else {
      const line = `${bar(progress.bytes, bytesTotal)} ${figures.join(" · ")}`;
      stream.write(`\r${fitLine(line, (stream.columns || 80) - 1)}\x1b[K`);
    }
  }

  return {
    update(progress) {
      last = progress;
      if (now() - drawnAt >= (stream.isTTY ? BAR_EVERY_MS : LINE_EVERY_MS)) draw(progress);
    },
    end() {
      if (last && stream.isTTY) {
        draw(last);
        stream.write("\n");
      }
      last = null;
    },
  };
}

function figuresOf({ documents, failures, bytes }: Progress, bytesTotal: number, elapsedMs: number): string[] {
  const share = bytesTotal > 0 ? Math.min(bytes / bytesTotal, 1) : null;
  const figures = share === null ? [] : [`${Math.floor(share * 100)}%`.padStart(4)];
  figures.push(`${documents.toLocaleString("en")} documents`);
  if (failures > 0) figures.push(`${failures.toLocaleString("en")} failed`);
  if (elapsedMs >= SETTLED_MS) {
    figures.push(`${Math.round((documents * 1_000) / elapsedMs).toLocaleString("en")}/s`);
    if (share !== null && share > 0 && share < 1) figures.push(`${duration((elapsedMs * (1 - share)) / share)} left`);
  }
  return figures;
}

/** How much of the whole is done; empty where the whole is unknown. */
export function bar(bytes: number, bytesTotal: number): string {
  if (bytesTotal <= 0) return "";
  const done = Math.round(Math.min(bytes / bytesTotal, 1) * BAR_WIDTH);
  return styleText("cyan", "█".repeat(done)) + styleText("dim", "░".repeat(BAR_WIDTH - done));
}

function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Cut to the terminal's width: a line that wraps cannot be redrawn. Colours go when it has to be cut. */
function fitLine(line: string, columns: number): string {
  const visible = stripVTControlCharacters(line);
  return displayWidth(visible) <= columns ? line : cutToWidth(visible, columns);
}

function cutToWidth(text: string, columns: number): string {
  let width = 0;
  let cut = "";
  for (const { segment } of CHARACTERS.segment(text)) {
    width += characterWidth(segment);
    if (width > columns) break;
    cut += segment;
  }
  return cut;
}

const CHARACTERS = new Intl.Segmenter("ko", { granularity: "grapheme" });

/** East Asian wide characters and emoji take two columns (Unicode's UAX 11, its common blocks). */
const WIDE =
  /^(?:[\p{sc=Hangul}\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\u3000-\u303e\uff01-\uff60]|\p{Emoji_Presentation})/u;

function characterWidth(character: string): number {
  return WIDE.test(character) ? 2 : 1;
}

/** Columns that a text takes on a terminal. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const { segment } of CHARACTERS.segment(text)) width += characterWidth(segment);
  return width;
}
