/** All of gRPC's library that is used here, in the one file that it is bundled into. */
export {
  type ChannelOptions,
  Client,
  type ClientReadableStream,
  credentials,
  type handleServerStreamingCall,
  type handleUnaryCall,
  logVerbosity,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  setLogVerbosity,
  status,
} from "@grpc/grpc-js";
export { loadSync } from "@grpc/proto-loader";
