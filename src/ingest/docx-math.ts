/** Parts of a formula that are written one behind the other, by what stands before them. */
const PARTS: Readonly<Record<string, string>> = { num: "", den: "/", sup: "^", sub: "_", deg: "", e: "", lim: "" };
/** What has such parts. */
const OBJECTS = new Set(
  "acc bar borderBox box d eqArr f func groupChr limLow limUpp m nary phant rad sPre sSub sSubSup sSup".split(" "),
);
/** Of roots and fractions, what stands in brackets where it is longer than a sign. */
const GROUPED = new Set(["num", "den", "sup", "sub"]);
const PLAIN = /^[\p{L}\p{N}.,%′']*$/u;

interface Delimiters {
  readonly begin: string;
  readonly end: string;
}

/** A formula (Office Math) in one line: `(a+b)/2`, `x^2`, `√(b)`. */
export class MathWriter {
  readonly #written: string[] = [""];
  readonly #delimiters: Delimiters[] = [];
  readonly #objects: string[] = [];

  get text(): string {
    return this.#written[0] ?? "";
  }

  open(name: string, value: string): void {
    if (name in PARTS) this.#written.push("");
    else if (OBJECTS.has(name)) {
      this.#objects.push(name);
      if (name === "d") this.#delimiters.push({ begin: "(", end: ")" });
    } else if (name === "begChr") this.#delimit({ begin: value });
    else if (name === "endChr") this.#delimit({ end: value });
    else if (name === "chr") this.write(value);
  }

  write(text: string): void {
    this.#written.push((this.#written.pop() ?? "") + text);
  }

  close(name: string): void {
    const before = PARTS[name];
    if (OBJECTS.has(name)) {
      this.#objects.pop();
      if (name === "d") this.#delimiters.pop();
    } else if (before !== undefined && this.#written.length > 1) {
      const said = this.#written.pop() ?? "";
      if (said !== "") this.write(before + this.#framed(name, said));
    }
  }

  #delimit(some: Partial<Delimiters>): void {
    const { begin, end } = this.#delimiters.pop() ?? { begin: "(", end: ")" };
    this.#delimiters.push({ begin, end, ...some });
  }

  #framed(name: string, said: string): string {
    const object = this.#objects.at(-1);
    if (name === "e" && object === "d") {
      const { begin, end } = this.#delimiters.at(-1) ?? { begin: "", end: "" };
      return begin + said + end;
    }
    if (name === "e" && object === "rad") return `√(${said})`;
    return GROUPED.has(name) && !PLAIN.test(said) ? `(${said})` : said;
  }
}
