import { setFlagsFromString } from "node:v8";

/** What a command needs, loaded where it is given; with it ends what bin/ragline.js keeps small while modules are loaded. */
export async function loaded<M>(module: Promise<M>): Promise<M> {
  const command = await module;
  setFlagsFromString("--semi-space-growth-factor=2");
  return command;
}
