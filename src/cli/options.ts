import { type Command, InvalidArgumentError } from "commander";

/** Adds a command, or one of `parent`. */
export type Register = (usage: string, description: string, parent?: Command) => Command;

export const TENANT = "tenant (default: the configuration's)";
export const GROUP =
  "group that may read the documents which name none themselves; repeat for more (default: everyone)";

export function wholeNumber(min: number, max: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (Number.isInteger(number) && number >= min && number <= max) return number;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

export function amount(min: number, max: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (value.trim() !== "" && number >= min && number <= max) return number;
    throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
  };
}

export function collect(value: string, earlier: string[] = []): string[] {
  return [...earlier, value];
}
