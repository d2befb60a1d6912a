import { type Command, InvalidArgumentError, Option } from "commander";
import { type LoadOptions, loadCommand } from "./load.ts";

const LOAD_EXAMPLES = `
Open loop: requests arrive when they are due, however slow the server is, and every time counts from when a request was due,
so that a server that stands still is not spared (no coordinated omission). How late the generator itself sent is reported.
Run it on another machine than the server, or at least keep a core for it.

  $ ragline load --rate 5 --seconds 60                       Poisson arrivals, 5 questions a second
  $ ragline load --rate 20 --turns 3 --think-ms 4000         conversations; a turn waits for the answer before
  $ ragline load --trace azure.jsonl --compress 10           a recorded trace, ten times as fast
  $ ragline load --rate 5 --ttft-objective 800 --report load.html --json

A trace is JSONL: t (seconds) or timestamp (ms), and session and user_input where known. With --compress thinking times shrink
too: turns that would come before the answer to the one before are held back, and reported. Errors are no part of the
percentiles; goodput counts them as missed.`;

type Register = (usage: string, description: string) => Command;

/** The commands that measure. */
export function registerMeasuring(command: Register): void {
  command("load", "ask a running server open-loop, and say how fast it answered")
    .option("--url <url>", "the server", httpUrl, "http://127.0.0.1:8787")
    .option("--rate <n>", "requests a second", amount(0.001, 100_000), 5)
    .option("--seconds <s>", "for how long requests arrive (default: 30, of a trace all of it)", amount(0.1, 86_400))
    .addOption(
      new Option("--arrivals <process>", "gaps between requests").choices(["poisson", "constant"]).default("poisson"),
    )
    .option("--turns <n>", "mean length of a conversation", amount(1, 1000), 1)
    .option("--think-ms <ms>", "mean time between an answer's end and the next turn", amount(0, 3_600_000), 2000)
    .option("--seed <n>", "of arrivals, lengths and thinking times", amount(0, 2 ** 32 - 1), 1)
    .option("--trace <file>", "arrivals of a recorded trace instead")
    .option("--compress <factor>", "play the trace so many times faster", amount(0.001, 1_000_000), 1)
    .option("--questions <file>", "JSONL with question or text, or one a line (default: about what is indexed)")
    .option("--collection <name>", "collection to ask")
    .option("--no-cache", "ask for answers that are not cached")
    .option("-H, --header <header>", 'sent with every request, "name: value"; repeat for more', collect, [])
    .option("--ttft-objective <ms>", "what counts as good: first text within", amount(1, 3_600_000), 1000)
    .option("--timeout <s>", "after it a request is given up", amount(0.1, 3600), 120)
    .option("--drain <s>", "so long after the last arrival answers may go on", amount(0, 3600), 30)
    .option("--warm-up <s>", "leave out what is due in the first seconds", amount(0, 3600), 0)
    .option("--report <file>", "write an HTML page with plots")
    .option("--json", "print every figure as one JSON object, on the last line")
    .addHelpText("after", LOAD_EXAMPLES)
    .action((options: LoadOptions) => loadCommand(options));
}

function amount(min: number, max: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (value.trim() !== "" && number >= min && number <= max) return number;
    throw new InvalidArgumentError(`must be a number from ${min} to ${max}.`);
  };
}

function httpUrl(value: string): string {
  if (/^https?:$/.test(URL.parse(value)?.protocol ?? "")) return value;
  throw new InvalidArgumentError("must be an http or https URL.");
}

function collect(value: string, earlier: string[] = []): string[] {
  return [...earlier, value];
}
