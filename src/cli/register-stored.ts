import { loaded } from "./loaded.ts";
import { collect, type Register, TENANT, wholeNumber } from "./options.ts";

/** The commands that move or delete what is stored. */
export function registerStored(command: Register, configFile: () => string | undefined): void {
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

  command("erase", "delete a tenant's collection for good: documents of every group, conversations, cached answers")
    .requiredOption("--tenant <name>", "tenant whose collection it is")
    .requiredOption("--collection <name>", "collection to erase")
    .option("--yes", "do it: without this it refuses")
    .addHelpText("after", "\nNothing brings it back. What remains where, and for how long: docs/http.md, Erasing.")
    .action(async (options) => (await loaded(import("./erase.ts"))).eraseCommand(configFile(), options));
}
