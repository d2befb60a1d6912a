/** Milliseconds of processor time that this process has used: what says how much work was done, however busy the machine is. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
