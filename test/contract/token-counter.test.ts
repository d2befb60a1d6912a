import { createBytesCounter } from "../../src/adapters/token-counter/bytes.ts";
import { createEncodingCounter } from "../../src/adapters/token-counter/encoding.ts";
import { createO200kCounter } from "../../src/adapters/token-counter/o200k.ts";
import { corrected } from "../../src/wrap/corrected.ts";
import { tokenCounterContract } from "./token-counter.ts";

tokenCounterContract("o200k", createO200kCounter);
tokenCounterContract("bytes", async () => createBytesCounter());
tokenCounterContract("cl100k", () => createEncodingCounter("cl100k_base"));
tokenCounterContract("corrected bytes", async () => corrected(createBytesCounter(), true));
