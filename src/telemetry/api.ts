/** OpenTelemetry's API, which the package brings along bundled: everybody takes it from here. It costs nothing without an SDK. */
export {
  type Attributes,
  type Context,
  context,
  createContextKey,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
