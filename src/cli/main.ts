import { inspect } from "node:util";
import { Command, CommanderError, Help, InvalidArgumentError, Option } from "commander";
import { RaglineError } from "../errors.ts";
import { DTYPES } from "../hub/files.ts";
import { withoutUrlSecrets } from "../telemetry/redaction.ts";
import { VERSION } from "../version.ts";
import { loaded } from "./loaded.ts";
import { registerMeasuring } from "./measuring.ts";

const EXAMPLES = `
A first minute:
  $ ragline demo                          index the bundled handbook, serve it, ask a question
  $ ragline index docs/ notes.md          index your own files; again: only what changed
  $ ragline ask "연차휴가는 1년에 며칠인가요?"  one answer, streamed, with its sources
  $ ragline serve                         the same over HTTP, on http://127.0.0.1:8787

Configuration: ragline.yaml in this folder, or --config FILE, or RAGLINE_CONFIG; none is needed. docs/configuration.md lists
every key. With OPENAI_BASE_URL or OPENAI_API_KEY set, answers are written by that model.
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.`;

/** Node 22.13 has over 200 open at once while it loads modules. */
const FEW_FILES = "ragline: this process may have too few files open: 256 at least (ulimit -n, systemd's LimitNOFILE)";

/** Runs one command; sets the exit code, and never throws. */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    await program().parseAsync(argv);
  } catch (thrown) {
    process.exitCode = report(thrown);
  }
}

function report(thrown: unknown): number {
  if (thrown instanceof DOMException && thrown.name === "AbortError") return stopped();
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
  if (!(thrown instanceof RaglineError)) {
    print((!process.env.DEBUG && systemFailure(thrown)) || thrown);
    return 1;
  }
  if (thrown.code === "cancelled") return stopped();
  const usage = thrown.code === "config_invalid" || thrown.code === "request_invalid";
  const step = thrown.status >= 500 && thrown.step ? `${thrown.step}: ` : "";
  const heading = thrown.code === "config_invalid" ? "configuration: " : step;
  const reason = connectionFailure(thrown.cause);
  const ending = reason === null || thrown.message.includes(reason) ? "" : ` (${reason})`;
  for (const line of `${thrown.message}${ending}`.split("\n")) print(`ragline: ${heading}${line}`);
  if (thrown.code === "internal") print(thrown.cause);
  if (process.env.DEBUG && thrown.cause) print(thrown.cause);
  return usage ? 2 : 1;
}

function print(what: unknown): void {
  console.error(withoutUrlSecrets(typeof what === "string" ? what : inspect(what)));
}

/** What the system refused, such as a folder for temporary files; null: a fault of ours, told with its stack. */
function systemFailure(thrown: unknown): string | null {
  if (!(thrown instanceof Error)) return null;
  if (/\bEMFILE\b/.test(thrown.message)) return FEW_FILES;
  return "syscall" in thrown ? `ragline: ${thrown.message}` : null;
}

/** What the system says of a connection, or whose stage it was, which holds no secret; what a server says may. */
function connectionFailure(thrown: unknown): string | null {
  if (!(thrown instanceof Error)) return null;
  if (/\bE[A-Z]{4,}\b|certificate|TLS|SSL|pg_hba/.test(thrown.message)) return thrown.message;
  const stages = thrown.message.split("; ").flatMap((one) => STAGE.exec(one)?.[0] ?? []);
  return stages.length > 0 ? stages.join(", ") : connectionFailure(thrown.cause);
}

/** As what is said of a remote stage begins: its address, and gRPC's status where that is what came back. */
const STAGE = /^[^\s/@]+:\d+(?=: )(?:: [A-Z_]+(?=: ))?/;

function stopped(): number {
  console.error("ragline: stopped");
  return 1;
}

const TENANT = "tenant (default: the configuration's)";
const GROUP = "group that may read the documents which name none themselves; repeat for more (default: everyone)";

function program(): Command {
  const root = new Command("ragline")
    .description("Serves retrieval-augmented answers: one process, no key, no download.")
    .version(VERSION)
    .option("-c, --config <file>", "configuration file (default: ragline.yaml, where there is one)")
    .addHelpText("after", EXAMPLES)
    .showHelpAfterError("(ragline --help shows how)")
    .exitOverride()
    .configureHelp({ sortSubcommands: false, optionDescription: withoutEmptyDefault });
  const command = (usage: string, description: string, parent = root) => {
    const added = parent.command(usage).description(description).exitOverride();
    const path = parent === root ? added.name() : `${parent.name()} ${added.name()}`;
    return added.showHelpAfterError(`(ragline ${path} --help shows how)`);
  };
  const configFile = () => root.opts<{ config?: string }>().config;

  command("demo", "index the bundled employee handbook, serve it, and ask one question")
    .option("-p, --port <port>", "port to listen on (default: server.port, 8787)", wholeNumber(0, 65_535))
    .option("--once", "stop after the first answer")
    .action(async (options) => (await loaded(import("./demo.ts"))).demoCommand(configFile(), options));

  command(
    "index [path...]",
    "index files, folders and globs: Markdown, text, HTML, PDF, DOCX, PPTX, XLSX, HWP, HWPX, JSONL",
  )
    .option("--prune", "delete every document of the collection that is not in these sources")
    .option("--tenant <name>", TENANT)
    .option("--group <name>", GROUP, collect, [])
    .option("--collection <name>", "collection to index into")
    .option(
      "--rebuild",
      "first make each SQLite file that is configured anew from what it records, and save what can be read of a damaged one",
    )
    .addHelpText(
      "after",

      "\nA document's id is its path within the folder named. Of two files with one id the second is refused while the first is there:" +
        "\nindex a folder above both, or use collections of their own. A file named by itself stays the document that its folder made of it." +
        "\nUnchanged files are skipped. An unreadable file is reported, the rest goes on, and the exit code is 1.",
    )
    .action(async (paths: string[], options) =>
      (await loaded(import("./index-sources.ts"))).indexCommand(configFile(), paths, options),
    );

  command("reindex", "embed what is indexed with the configured embedder, while others go on searching, and swap")
    .option("--tenant <name>", TENANT)
    .option("--collection <name>", "collection to move")
    .addHelpText("after", "\nA run that was stopped is taken up by the next.")
    .action(async (options) => (await loaded(import("./reindex.ts"))).reindexCommand(configFile(), options));

  command("migrate", "move a collection to another index, with its vectors, while both are served")
    .requiredOption("--from <config>", "configuration whose search: block holds it")
    .requiredOption("--to <config>", "configuration whose search: block is to hold it; with the same embedder")
    .option("--tenant <name>", "tenant (default: that of both configurations)")
    .option("--collection <name>", "collection (default: that of both configurations); repeat for more", collect)
    .option("--all", "every collection of the tenant")
    .option("--merge", "keep documents of the target that the source lacks")
    .option("--prune", "delete them")
    .option("--since <time>", "writers have switched: carry over what was written to the source after this time")
    .option("--questions <n>", "questions that both are asked in the end", wholeNumber(0, 10_000), 200)
    .option("--json", "print one JSON object on the last line")
    .addHelpText(
      "after",
      "\nCopies until a pass finds nothing to copy, then compares counts and answers: exit code 1 where they differ." +
        "\nA run that was stopped is taken up by the next. How to switch without a pause: docs/engines.md.",
    )
    .action(async (options) => (await loaded(import("./migrate.ts"))).migrateCommand(options));

  command("ask <question>", "ask one question and stream the answer")
    .option("-s, --session <id>", "conversation to go on with (default: a new one)")
    .option("-n, --top <n>", "passages that go into the prompt, up to search.top", wholeNumber(1, 200))
    .option(
      "-f, --filter <condition>",
      "metadata filter: field=value, field>=value, field!=value or JSON; repeat for more",
      collect,
      [],
    )
    .option("--tenant <name>", TENANT)
    .option("--group <name>", "ask as one who may read this group's documents too; repeat for more", collect, [])
    .option("--user <name>", "whose conversation it is (default: nobody's in particular)")
    .option("--collection <name>", "collection to ask")
    .option("--timings", "show where the time went")
    .option("--json", "print the whole answer as one JSON object")
    .action(async (question: string, options) =>
      (await loaded(import("./ask.ts"))).askCommand(configFile(), question, options),
    );

  command("serve", "answer over HTTP until stopped")
    .option("-p, --port <port>", "port to listen on (default: server.port, 8787)", wholeNumber(0, 65_535))
    .option("--host <address>", "address to listen on (default: server.host, 127.0.0.1)")
    .option("-w, --watch <path>", "index a folder or file and keep up with its changes; repeat for more", collect)
    .option("--prune", "with --watch: at the start, delete every document of the collection that is not there")
    .option("--tenant <name>", TENANT)
    .option("--group <name>", `with --watch: ${GROUP}`, collect, [])
    .addHelpText("after", "\nOn SIGHUP it reads server.callers of its configuration again: docs/http.md, Callers.")
    .action(async (options) => (await loaded(import("./serve.ts"))).serveCommand(configFile(), options));

  command("stage <name>", "serve one stage over gRPC until stopped: embed, rerank, generate or search")
    .option("-p, --port <port>", "port to listen on (default: stage.port, 50051)", wholeNumber(0, 65_535))
    .option("--host <address>", "address to listen on (default: stage.host, 127.0.0.1)")
    .addHelpText(
      "after",
      "\nWhat the configuration says of that step is served; another process uses it with `use: grpc`.",
    )
    .action(async (name: string, options) =>
      (await loaded(import("./stage.ts"))).stageCommand(configFile(), stageName(name), options),
    );

  command(
    "extract <stage>",
    "replay questions on a stage here and served apart: whether outputs agree, and what it costs",
  )
    .requiredOption("--to <host:port>", "where `ragline stage` serves it; repeat for more", collect)
    .option("--questions <file>", "questions: a line each, or JSONL {question} or {text}")
    .option("--session <id>", "the questions of a recorded conversation")
    .option("--limit <n>", "only the first n questions", wholeNumber(1, 1_000_000))
    .option("--ca <file>", "PEM file of the authority behind the stage's certificate (TLS)")
    .option("--certificate <file>", "PEM file of the certificate to show (mutual TLS)")
    .option("--key <file>", "PEM file of its key")
    .option("--json", "print one JSON object on the last line")
    .addHelpText(
      "after",
      "\nEach question goes through the steps here once, to note what the stage is asked; then both are asked that, once each." +
        "\nChanges nothing: it prints the change to make. Exit code 1 where outputs differ.",
    )
    .action(async (name: string, options) =>
      (await loaded(import("./extract.ts"))).extractCommand(configFile(), stageName(name), options),
    );

  command("status", "show what is indexed and what each stage runs on")
    .option("--tenant <name>", TENANT)
    .option("--group <name>", "count this group's documents too; repeat for more", collect, [])
    .option("--collection <name>", "collection to look at")
    .option("--json", "print it as one JSON object")
    .addHelpText(
      "after",
      "\nDocuments for groups are counted where --group names one of theirs." +
        "\nExit code 1 where questions cannot be answered now: nothing is indexed (unless a caller has a tenant of its own or" +
        "\nspeaks for others), or the index, the sessions or the model are away (`not ready`, in JSON `missing`; a running" +
        "\nserver says the same at /readyz).",
    )
    .action(async (options) => (await loaded(import("./status.ts"))).statusCommand(configFile(), options));

  command("erase", "delete a tenant's collection for good: documents of every group, conversations, cached answers")
    .requiredOption("--tenant <name>", "tenant whose collection it is")
    .requiredOption("--collection <name>", "collection to erase")
    .option("--yes", "do it: without this it refuses")
    .addHelpText("after", "\nNothing brings it back. What remains where, and for how long: docs/http.md, Erasing.")
    .action(async (options) => (await loaded(import("./erase.ts"))).eraseCommand(configFile(), options));

  const models = command("models", "models that run on this machine");
  command("pull <name>", "fetch a model into the hub's cache, e.g. Xenova/multilingual-e5-small", models)
    .addOption(
      new Option("--dtype <dtype>", "which of its ONNX files (default: the first that is there)").choices(DTYPES),
    )
    .action(async (model: string, options) =>
      (await loaded(import("./models.ts"))).pullCommand(configFile(), model, options),
    );

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

  registerMeasuring(command, configFile);

  return root;
}

function stageName(name: string) {
  const found = (["embed", "rerank", "generate", "search"] as const).find((one) => one === name);
  if (found) return found;
  throw new RaglineError("request_invalid", `stage: ${name} is none of embed, rerank, generate, search`);
}

/** Options that may be repeated begin with none. */
function withoutEmptyDefault(option: Option): string {
  return new Help().optionDescription(option).replace(" (default: [])", "");
}

function wholeNumber(min: number, max: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (Number.isInteger(number) && number >= min && number <= max) return number;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

function collect(value: string, earlier: string[] = []): string[] {
  return [...earlier, value];
}
