import { fileDescriptors, REFLECTION, serviceOf, symbols } from "../wire/definitions.ts";
import { type Server, type ServerDuplexStream, status } from "../wire/library.ts";

interface ReflectionRequest {
  readonly host: string;
  readonly fileByFilename?: string;
  readonly fileContainingSymbol?: string;
  readonly listServices?: string;
}

/** The older package's name, which many tools ask for first; its messages are the same. */
const ALPHA = "grpc.reflection.v1alpha.ServerReflection";

/** Answers what `grpcurl` and its like ask: which services there are, and their descriptors. All files are sent for every symbol. */
export function addReflection(server: Server, services: readonly string[]): void {
  const fileDescriptorResponse = { fileDescriptorProto: fileDescriptors() };
  const known = symbols();
  const isKnown = (symbol: string) => known.some((name) => symbol === name || symbol.startsWith(`${name}.`));
  const answer = ({ fileByFilename, fileContainingSymbol, listServices }: ReflectionRequest): object => {
    if (listServices !== undefined) return { listServicesResponse: { service: services.map((name) => ({ name })) } };
    if (fileByFilename !== undefined) return { fileDescriptorResponse };
    if (fileContainingSymbol !== undefined && isKnown(fileContainingSymbol)) return { fileDescriptorResponse };
    return { errorResponse: { errorCode: status.NOT_FOUND, errorMessage: "unknown symbol, or no such question" } };
  };
  const serverReflectionInfo = (call: ServerDuplexStream<ReflectionRequest, object>) => {
    call.on("data", (request) => {
      call.write({ validHost: request.host, originalRequest: request, ...answer(request) });
    });
    call.on("end", () => call.end());
  };
  const service = serviceOf(REFLECTION);
  server.addService(service, { serverReflectionInfo });
  const alpha = Object.entries(service).map(([name, method]) => {
    return [name, { ...method, path: method.path.replace(REFLECTION, ALPHA) }] as const;
  });
  server.addService(Object.fromEntries(alpha), { serverReflectionInfo });
}
