import { stripVTControlCharacters, styleText } from "node:util";

type Stream = Pick<NodeJS.WriteStream, "write" | "isTTY" | "columns">;

export interface ProgressLine {
  /** Shows it where it is time again, the last of something in any case. */
  update(text: () => string, isLast?: boolean): void;
  /** Leaves the cursor on a clean line. Call it however the run ends; more than once does no harm. */
  end(): void;
}

/** Often enough to look alive on a terminal; rarely enough for a log. */
const REDRAW_EVERY_MS = 80;
const LINE_EVERY_MS = 3_000;

/** One line that redraws itself on a terminal; now and then a plain line elsewhere. `now`: milliseconds, monotonic. */
export function createLine(stream: Stream, now = () => performance.now()): ProgressLine {
  const everyMs = stream.isTTY ? REDRAW_EVERY_MS : LINE_EVERY_MS;
  let drawnAt = stream.isTTY ? Number.NEGATIVE_INFINITY : now();
  let latest: (() => string) | null = null;

  function draw(text: () => string): void {
    drawnAt = now();
    stream.write(stream.isTTY ? `\r${fitLine(text(), (stream.columns || 80) - 1)}\x1b[K` : `${text()}\n`);
  }

  return {
    update(text, isLast = false) {
      latest = text;
      if (isLast || now() - drawnAt >= everyMs) draw(text);
    },
    end() {
      if (latest && stream.isTTY) {
        draw(latest);
        stream.write("\n");
      }
      latest = null;
    },
  };
}

/** What the bar shows of a run. */
export interface Progress {
  readonly documents: number;
  readonly failures: number;
  readonly bytes: number;
}

export interface ProgressOptions {
  readonly stream: Stream;
  /** Of all sources, for the percentage and the time left; 0: unknown. */
  readonly bytesTotal: number;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
}

const BAR_WIDTH = 24;
/** Before this the rate is a guess. */
const SETTLED_MS = 1_000;

/** Shows how far indexing has come. */
export function createProgress({ stream, bytesTotal, now = () => performance.now() }: ProgressOptions) {
  const startedAt = now();
  const line = createLine(stream, now);
  return {
    update(progress: Progress) {
      line.update(() => {
        const figures = figuresOf(progress, bytesTotal, now() - startedAt).join(" · ");
        return stream.isTTY ? `${bar(progress.bytes, bytesTotal)} ${figures}` : `indexing: ${figures}`;
      });
    },
    end: line.end,
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
