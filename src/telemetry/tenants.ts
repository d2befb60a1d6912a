/** Labels for tenants, of which there may be any number: the first have their own names, all others are `other`. */
export class TenantLabels {
  readonly #named = new Set<string>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  of(tenant: string): string {
    if (this.#named.has(tenant)) return tenant;
    if (this.#named.size >= this.#max) return "other";
    this.#named.add(tenant);
    return tenant;
  }
}
