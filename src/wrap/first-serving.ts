import { withMethods } from "./with-methods.ts";

interface Endpoint<P> {
  readonly port: P;
  serving(): boolean;
}

/** One port of several endpoints: `calls` go to the first that serves, or to the first of all where none does. */
export function firstServing<P extends { close?(): Promise<void> }>(
  endpoints: readonly Endpoint<P>[],
  calls: readonly (keyof P)[],
): P {
  const [first] = endpoints;
  if (!first) throw new RangeError("a port needs at least one endpoint");
  const serving = () => (endpoints.find((one) => one.serving()) ?? first).port;
  const forwarded = calls.map((name) => {
    const forward = (...args: unknown[]) => {
      const port = serving();
      return (port[name] as (...args: unknown[]) => unknown).apply(port, args);
    };
    return [name, forward];
  });
  const close = async () => {
    for (const { port } of endpoints) await port.close?.();
  };
  return withMethods(first.port, { ...Object.fromEntries(forwarded), close } as Partial<P>);
}
