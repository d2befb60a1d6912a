/**
 * The same port with some methods replaced, whether it is an object or an instance of a class with private fields. No proxy, whose
 * every call is looked up anew.
 */
export function withMethods<T extends object>(port: T, methods: Partial<T>): T {
  const wrapped = {};
  for (const name of namesOf(port)) {
    let last: { readonly value: unknown; readonly bound: unknown } | undefined;
    const get = () => {
      const value: unknown = Reflect.get(port, name);
      if (typeof value !== "function") return value;
      // Of a port that is wrapped itself, which gives the same function each time, too.
      if (last?.value !== value) last = { value, bound: value.bind(port) };
      return last?.bound;
    };
    Object.defineProperty(wrapped, name, { get, enumerable: true, configurable: true });
  }
  for (const name of Reflect.ownKeys(methods)) {
    const value: unknown = Reflect.get(methods, name);
    Object.defineProperty(wrapped, name, { value, enumerable: true, writable: true });
  }
  return wrapped as T;
}

/** Of the port, and of what it is an instance of. */
function namesOf(port: object): Set<string | symbol> {
  const names = new Set<string | symbol>();
  for (let of = port; of !== null && of !== Object.prototype; of = Object.getPrototypeOf(of)) {
    for (const name of Reflect.ownKeys(of)) names.add(name);
  }
  names.delete("constructor");
  return names;
}
