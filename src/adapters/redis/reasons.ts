/** What is known of a failure, by what Redis or its client said. */
const REASONS: readonly (readonly [said: RegExp, reason: (block: string) => string])[] = [
  [
    /WRONGPASS|NOAUTH|invalid password|Client sent AUTH|without any password/i,
    (block) => `Redis refuses user or password of ${block}.url.`,
  ],
  [/NOPERM/, (block) => `The user of ${block}.url lacks a right in Redis: see its ACL.`],
  [/unknown command .?SENTINEL/, (block) => `${block}.url names no sentinels: see ${block}.topology.`],
  [/unknown command .?EVAL/, (block) => `${block}.url names a sentinel: see ${block}.topology.`],
  [/No such master/, (block) => `The sentinels know no master of this name: see ${block}.sentinelMaster.`],
  [/root nodes are unavailable/, (block) => `No node of a cluster answers: see ${block}.url and ${block}.topology.`],
  [/CLUSTERDOWN/, () => "The Redis cluster is down, or has no slots."],
  [/DB index/, (block) => `Redis has no database of this number: see ${block}.url.`],
  [/LOADING/, () => "Redis has started and is loading its data."],
  [/OOM/, () => "Redis has reached its maxmemory."],
  [/READONLY/, (block) => `Redis takes no writes: ${block}.url names a replica, or a master that has become one.`],
  [/NOREPLICAS/, () => "Redis takes no writes: it has fewer replicas than its min-replicas-to-write."],
  [/MISCONF/, () => "Redis takes no writes: it cannot save to its disk."],
  [
    /CERT|certificate|issuer|ERR_TLS|self.signed/i,
    (block) => `The certificate of Redis is not trusted: see ${block}.caFile.`,
  ],
];

/** For clients and for readiness: what to look at, never what the server said. */
export function reasonOf(cause: unknown, block: string, wasConnected: boolean): string {
  const { message = "", code = "" } = cause instanceof Error ? (cause as NodeJS.ErrnoException) : {};
  const known = REASONS.find(([said]) => said.test(`${code} ${message}`));
  if (known) return known[1](block);
  return wasConnected
    ? "Redis did not answer in time, or refused."
    : `There was no connection to Redis yet: see ${block}.url (rediss: speaks TLS, redis: does not).`;
}
