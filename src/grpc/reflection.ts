import { REFLECTION, serviceOf } from "../wire/definitions.ts";
import { type FileDescriptor, fileDescriptors, symbols } from "../wire/descriptors.ts";
import { type Server, type ServerDuplexStream, status } from "../wire/library.ts";

interface ReflectionRequest {
  readonly host: string;
  readonly fileByFilename?: string;
  readonly fileContainingSymbol?: string;
  readonly listServices?: string;
}

/** The older package's name, which many tools ask for first; its messages are the same. */
const ALPHA = "grpc.reflection.v1alpha.ServerReflection";

/** Answers what `grpcurl` and its like ask: which services there are, and their descriptors. The file asked for comes first, then all others. */
export function addReflection(server: Server, services: readonly string[]): void {
  const isKnown = (symbol: string) => symbols.some((name) => symbol === name || symbol.startsWith(`${name}.`));
  const filesFrom = (is: (file: FileDescriptor) => boolean): object | null => {
    const first = fileDescriptors.find(is);
    if (!first) return null;
    const all = [first, ...fileDescriptors.filter((file) => file !== first)];
    return { fileDescriptorResponse: { fileDescriptorProto: all.map(({ bytes }) => bytes) } };
  };
  const found = ({ fileByFilename, fileContainingSymbol: symbol }: ReflectionRequest): object | null => {
    if (fileByFilename !== undefined) return filesFrom(({ name }) => name === fileByFilename);
    if (symbol === undefined || !isKnown(symbol)) return null;
    return filesFrom((file) => symbol.startsWith(`${file.package}.`));
  };
  const unknown = { errorCode: status.NOT_FOUND, errorMessage: "unknown file or symbol, or no such question" };
  const answer = (request: ReflectionRequest): object =>
    request.listServices === undefined
      ? (found(request) ?? { errorResponse: unknown })
      : { listServicesResponse: { service: services.map((name) => ({ name })) } };
  const serverReflectionInfo = (call: ServerDuplexStream<ReflectionRequest, object>) => {
    call.on("data", (request) => {
      if (call.write({ validHost: request.host, originalRequest: request, ...answer(request) })) return;
      call.pause();
      call.once("drain", () => call.resume());
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
