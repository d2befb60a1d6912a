import { createO200kCounter } from "../../src/adapters/token-counter/o200k.ts";
import { tokenCounterContract } from "./token-counter.ts";

tokenCounterContract("o200k", createO200kCounter);
