import { Option } from "commander";
import { RaglineError } from "../errors.ts";
import { DTYPES } from "../hub/files.ts";
import { loaded } from "./loaded.ts";
import { collect, type Register, wholeNumber } from "./options.ts";

/** The commands for stages that are served apart, and for models on this machine. */
export function registerStages(command: Register, configFile: () => string | undefined): void {
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

  const models = command("models", "models that run on this machine");

  command("pull <name>", "fetch a model into the hub's cache, e.g. Xenova/multilingual-e5-small", models)
    .addOption(
      new Option("--dtype <dtype>", "which of its ONNX files (default: the first that is there)").choices(DTYPES),
    )
    .action(async (model: string, options) =>
      (await loaded(import("./models.ts"))).pullCommand(configFile(), model, options),
    );
}

function stageName(name: string) {
  const found = (["embed", "rerank", "generate", "search"] as const).find((one) => one === name);
  if (found) return found;
  throw new RaglineError("request_invalid", `stage: ${name} is none of embed, rerank, generate, search`);
}
