import { InvalidArgumentError, Option } from "commander";
import { RaglineError } from "../errors.ts";
import { hasNoUser } from "../url-part.ts";
import type { BottleneckOptions } from "./bottleneck.ts";
import type { LoadOptions } from "./load.ts";
import { loaded } from "./loaded.ts";
import { amount, type Register, wholeNumber } from "./options.ts";
import type { ProfileOptions } from "./profile.ts";

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
percentiles; goodput counts them as missed. Exit code 1 where answers failed, or more of them than --failed-max says.`;

const PROFILE_HELP = `
Each stage is driven through its configured adapter, in this process or wherever it runs: one caller with 1 to 32 texts a call,
to which latency = fixed + n · per text is fitted; then 1 to 64 callers, each calling again as soon as it is answered. Nothing is
written to the index. No text is sent twice, so that no cache answers. Endpoints that may send a bill (openai, cohere, ai-sdk)
are left out unless named with --stages and agreed to with --yes, but for one call that embeds what search is driven with.`;

const BOTTLENECK_HELP = `
Live: from the metrics of a server under load, by what fails, where calls wait in line (rate times mean wait), pile up or are given
up, how busy the event loop is, and what first texts waited for. From a profile: the stage that answers the fewest calls a second, and the longest service time.

  $ ragline load --rate 10 --seconds 60 & sleep 20; ragline bottleneck --seconds 30
  $ ragline profile --seconds 60 && ragline bottleneck --profile profile.json`;

/** The commands that measure. */
export function registerMeasuring(command: Register, configFile: () => string | undefined): void {
  command("eval <folder>", "measure retrieval (quality: no time limits) on a set of questions with known answers")
    .option("--corpus <file>", "passages, JSONL {id, title?, text}", "corpus.jsonl")
    .option("--queries <file>", "questions, JSONL {id, text}", "queries.jsonl")
    .option("--qrels <file>", "judgements, TSV: query-id, corpus-id, score", "qrels.tsv")
    .option("--field <name>", "field of a question to search for", "text")
    .option("--no-titles", "leave titles out of the index")
    .addOption(new Option("--limit <n>", "ask only the first n questions").argParser(wholeNumber(1, 1_000_000)))
    .option("--conversations", "questions {id, text, history, rewrite}: as asked, as rewritten, by turn number")
    .option("--json", "print one JSON object on the last line")
    .action(async (folder: string, options) =>
      (await loaded(import("./eval.ts"))).evalCommand(configFile(), folder, options),
    );

  registerLoad(command);
  command("profile", "drive each stage alone and write what it can do")
    .option("-o, --output <file>", "where the profile goes", "profile.json")
    .option("--seconds <s>", "for all stages together, about", amount(1, 3600), 60)
    .option("--stages <names>", "only these, comma-separated: embed, search, rerank, generate", names)
    .option("--output-tokens <n>", "longest answer asked of generate", amount(1, 100_000), 128)
    .option("--questions <file>", "JSONL with question or text, or one a line (default: about what is indexed)")
    .option("--collection <name>", "collection to search")
    .option("-y, --yes", "send to endpoints that may cost money, where --stages names them")
    .option("--json", "print the profile as one JSON object, on the last line")
    .addHelpText("after", PROFILE_HELP)
    .action(async (options: ProfileOptions) =>
      (await loaded(import("./profile.ts"))).profileCommand(configFile(), options),
    );
  command("bottleneck", "say which stage bounds throughput, which the time to first text, and what to do")
    .option("--url <url>", "a running server, or its /metrics", httpUrl, "http://127.0.0.1:8787")
    .option("--profile <file>", "read a profile of `ragline profile` instead")
    .option(
      "--seconds <s>",
      "between two readings of the metrics; 0: since the server's start, without the process's share and what piles up",
      amount(0, 3600),
      10,
    )
    .option("-H, --header <header>", 'sent with every request, "name: value"; repeat for more', header, [])
    .option("--json", "print the findings as one JSON object, on the last line")
    .addHelpText("after", BOTTLENECK_HELP)
    .action(async (options: BottleneckOptions) => (await loaded(import("./bottleneck.ts"))).bottleneckCommand(options));
}

function registerLoad(command: Register): void {
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
    .option("-H, --header <header>", 'sent with every request, "name: value"; repeat for more', header, [])
    .option("--ttft-objective <ms>", "what counts as good: first text within", amount(1, 3_600_000), 1000)
    .option("--timeout <s>", "after it a request is given up", amount(0.1, 3600), 120)
    .option("--drain <s>", "so long after the last arrival answers may go on", amount(0, 3600), 30)
    .option("--warm-up <s>", "leave out what is due in the first seconds", amount(0, 3600), 0)
    .option("--failed-max <percent>", "exit code 1 where more of what was asked failed", amount(0, 100), 0)
    .option("--report <file>", "write an HTML page with plots")
    .option("--json", "print every figure as one JSON object, on the last line")
    .addHelpText("after", LOAD_EXAMPLES)
    .action(async (options: LoadOptions) => (await loaded(import("./load.ts"))).loadCommand(options));
}

function httpUrl(value: string): string {
  if (!/^https?:$/.test(URL.parse(value)?.protocol ?? "")) {
    throw new InvalidArgumentError("It must be an http or https URL.");
  }
  if (hasNoUser(value)) return value;
  // Not as an invalid argument: these are shown.
  const instead = '-H "authorization: Basic …"';
  throw new RaglineError("config_invalid", `--url must not hold a user or a password; send them with ${instead}.`);
}

function names(value: string): string[] {
  return value.split(",").map((name) => name.trim());
}

type Header = readonly [name: string, value: string];

function header(text: string, earlier: readonly Header[]): Header[] {
  const [, name, value] = /^([\w-]+):\s*(.*)$/.exec(text) ?? [];
  if (name && value !== undefined) return [...earlier, [name.toLowerCase(), value]];
  throw new InvalidArgumentError('It must be of the form "name: value".');
}
