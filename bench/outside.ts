import { answerParent } from "./child.ts";
import { loadCommands } from "./load.ts";
import { stageCommands } from "./stages.ts";

/**
 * What stands around a system under test, in one process: the load generator and the stages. As two they would wait for each other's
 * turn on their core, for milliseconds, and that would be measured as the system's; and here one clock times both.
 */
const commands = { ...stageCommands, ...loadCommands };
export type OutsideCommands = typeof commands;

answerParent(commands);
