import { toRaglineError } from "../errors.ts";
import { context, SpanKind, SpanStatusCode, trace } from "../telemetry/api.ts";
import { addressOf, isRecorded, type TracedOptions } from "./traced.ts";
import { withMethods } from "./with-methods.ts";

/** The same store; a span each call of these methods, named by OpenTelemetry's conventions for databases. */
export function tracedStore<T extends object>(
  store: T,
  { tracer, provider, url }: TracedOptions,
  methods: readonly (keyof T & string)[],
): T {
  const attributes = { "db.system.name": provider, ...addressOf(url) };
  const traced = methods.map((name) => {
    const method = async (...args: unknown[]): Promise<unknown> => {
      const make = () => (Reflect.get(store, name) as (...all: unknown[]) => unknown).apply(store, args);
      if (!isRecorded()) return make();
      const span = tracer.startSpan(`${provider} ${name}`, {
        kind: SpanKind.CLIENT,
        attributes: { ...attributes, "db.operation.name": name },
      });
      try {
        return await context.with(trace.setSpan(context.active(), span), make);
      } catch (thrown) {
        span.setAttribute("error.type", toRaglineError(thrown).code);
        span.setStatus({ code: SpanStatusCode.ERROR });
        throw thrown;
      } finally {
        span.end();
      }
    };
    return [name, method] as const;
  });
  return withMethods(store, Object.fromEntries(traced) as Partial<T>);
}
