import { loaded } from "./loaded.ts";
import { collect, GROUP, type Register, TENANT, wholeNumber } from "./options.ts";

/** The commands of a first minute, and of every day. */
export function registerAnswering(command: Register, configFile: () => string | undefined): void {
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
}
