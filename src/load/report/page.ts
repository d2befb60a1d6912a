import type { DrivenRun } from "../drive.ts";
import type { Summary, SummaryContext } from "../summary.ts";

export function reportPage(_run: DrivenRun, summary: Summary, _context: SummaryContext): string {
  return `<pre>${JSON.stringify(summary, null, 2)}</pre>`;
}
