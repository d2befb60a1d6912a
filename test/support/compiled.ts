import { flushCompileCache } from "node:module";
import { afterAll } from "vitest";

// Vitest kills a worker once its file is done; Node stores what it compiled only in a process that ends by itself.
afterAll(() => flushCompileCache());
