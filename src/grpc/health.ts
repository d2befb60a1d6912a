import { HEALTH, serviceOf } from "../wire/definitions.ts";
import { type Server, type ServerUnaryCall, type ServerWritableStream, status } from "../wire/library.ts";

interface Asked {
  readonly service: string;
}

type Watcher = ServerWritableStream<Asked, object>;

/** `grpc.health.v1` for one service and the server as a whole (the empty name), which are one. */
export class Health {
  readonly #names: readonly string[];
  readonly #watchers = new Set<Watcher>();
  #isServing = false;

  constructor(service: string) {
    this.#names = ["", service];
  }

  get isServing(): boolean {
    return this.#isServing;
  }

  addTo(server: Server): void {
    server.addService(serviceOf(HEALTH), {
      check: (call: ServerUnaryCall<Asked, object>, respond: (error: object | null, response?: object) => void) => {
        const { service } = call.request;
        if (this.#names.includes(service)) respond(null, this.#status(service));
        else respond({ code: status.NOT_FOUND, details: `unknown service: ${service.slice(0, 200)}` });
      },
      watch: (call: Watcher) => {
        this.#watchers.add(call);
        for (const event of ["cancelled", "close"]) call.on(event, () => this.#watchers.delete(call));
        call.write(this.#status(call.request.service));
      },
    });
  }

  set(isServing: boolean): void {
    if (isServing === this.#isServing) return;
    this.#isServing = isServing;
    for (const watcher of this.#watchers) watcher.write(this.#status(watcher.request.service));
  }

  /** Ends the calls that watch. */
  close(): void {
    for (const watcher of this.#watchers) watcher.end();
    this.#watchers.clear();
  }

  #status(service: string): object {
    if (!this.#names.includes(service)) return { status: "SERVICE_UNKNOWN" };
    return { status: this.#isServing ? "SERVING" : "NOT_SERVING" };
  }
}
