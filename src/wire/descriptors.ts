import { loaded } from "./definitions.ts";

/** A `FileDescriptorProto`, serialised: all that one package holds. */
export interface FileDescriptor {
  readonly name: string;
  readonly package: string;
  readonly bytes: Uint8Array;
}

/** Tags of its fields, all of which hold text or messages. */
const NAME = 0x0a;
const PACKAGE = 0x12;
const DEPENDENCY = 0x1a;

/** Every file, with the files that it refers to, which the loader leaves out. */
export const fileDescriptors: readonly FileDescriptor[] = withDependencies(loadedFiles());

/** Every service and message by its full name. */
export const symbols: readonly string[] = Object.keys(loaded);

function loadedFiles(): FileDescriptor[] {
  const lists = Object.values(loaded).flatMap((one) =>
    Array.isArray(one.fileDescriptorProtos) ? [one.fileDescriptorProtos as readonly Buffer[]] : [],
  );
  const longest = lists.reduce<readonly Buffer[]>((most, one) => (one.length > most.length ? one : most), []);
  return longest.map((bytes) => {
    const name = textAt(bytes, 0, NAME);
    return { name, package: textAt(bytes, 2 + name.length, PACKAGE), bytes };
  });
}

/** The first two fields are short ASCII: one byte of length each. */
function textAt(bytes: Buffer, at: number, tag: number): string {
  if (bytes[at] !== tag) throw new Error(`a file's descriptor without field ${tag >> 3} at ${at}`);
  return bytes.toString("latin1", at + 2, at + 2 + (bytes[at + 1] ?? 0));
}

/** Fields of a message may come in any order: what is missing goes to its end. */
function withDependencies(files: readonly FileDescriptor[]): FileDescriptor[] {
  return files.map((file) => {
    const content = Buffer.from(file.bytes).toString("latin1");
    const others = files.filter((other) => other !== file && content.includes(`${other.package}.`));
    const fields = others.map(({ name }) => Buffer.from([DEPENDENCY, name.length, ...Buffer.from(name, "latin1")]));
    return { ...file, bytes: Buffer.concat([file.bytes, ...fields]) };
  });
}
