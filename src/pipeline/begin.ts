import type { Run } from "../run.ts";
import type { CallOptions } from "../types.ts";
import { type Answer, answerError, failed } from "./answer.ts";
import type { Conversation } from "./history.ts";
import { expectPrompt } from "./prompt.ts";
import { saveRecorded } from "./save.ts";
import { beginTurn, countAhead } from "./session.ts";
import type { Question, Stages } from "./stages.ts";

/** Step 1 in a run. Its failure is the answer's end; a question that was recorded all the same is saved as it was left. */
export async function begin(
  stages: Stages,
  question: Question,
  answer: Answer,
  run: Run,
  later: (task: (call: CallOptions) => Promise<unknown>) => void,
): Promise<Conversation> {
  let beginning: Promise<Conversation> | undefined;
  try {
    if (question.history) await countAhead(stages, question.history, run.signal);
    const begun = await run.must("session", (call) => {
      beginning = beginTurn(stages, question, call);
      expectPrompt(stages, question);
      return beginning;
    });
    answer.foundVersion = begun.session.version;
    return begun;
  } catch (thrown) {
    const error = failed(answer, run, thrown);
    if (beginning) later(saveRecorded(stages, question, answer, beginning));
    run.leave();
    run.end(answerError(error, question, run));
    throw error;
  }
}
