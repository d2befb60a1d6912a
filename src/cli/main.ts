import { inspect } from "node:util";
import { Command, CommanderError, Help, type Option } from "commander";
import { RaglineError } from "../errors.ts";
import { withoutUrlSecrets } from "../telemetry/redaction.ts";
import { VERSION } from "../version.ts";
import { registerAnswering } from "./register-answering.ts";
import { registerMeasuring } from "./register-measuring.ts";
import { registerStages } from "./register-stages.ts";
import { registerStored } from "./register-stored.ts";

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

  root.commandsGroup("Answers:");
  registerAnswering(command, configFile);
  root.commandsGroup("What is stored:");
  registerStored(command, configFile);
  root.commandsGroup("Stages apart, and models:");
  registerStages(command, configFile);
  root.commandsGroup("Measuring:");
  registerMeasuring(command, configFile);

  return root;
}

/** Options that may be repeated begin with none. */
function withoutEmptyDefault(option: Option): string {
  return new Help().optionDescription(option).replace(" (default: [])", "");
}
