import { currentThread } from "../core/process.ts";

/** A map of which each thread has its own; so has whoever is in no thread. */
export function memoryOfThreads<K, V>(): Map<K, V> {
  const outside = new Map<K, V>();
  const inside = new WeakMap<object, Map<K, V>>();
  return new Proxy(outside, {
    get(_, name) {
      const thread = currentThread();
      let map = outside;
      if (thread !== undefined) {
        map = inside.get(thread) ?? new Map();
        inside.set(thread, map);
      }
      const value: unknown = Reflect.get(map, name, map);
      return typeof value === "function" ? value.bind(map) : value;
    },
  });
}
