import { deflateSync } from "node:zlib";

/** Text at a place: points from the lower left corner. */
export interface Placed {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly size?: number;
  /** Set upwards, as on a page that lies. */
  readonly isTurned?: boolean;
}

/** What pages have beside texts, in their order: what they draw, and annotations, as PDF writes both. */
interface More {
  readonly drawn?: readonly string[];
  readonly annotations?: readonly string[];
}

/** How the font says what its codes mean: by a map of its own, or by one of Adobe's that a reader must bring. */
export type FontKind = "to-unicode" | "predefined" | "predefined-japanese" | "standard";

/** A PDF with the texts at their places, a list a page. Characters take half of the font's size. */
export function makePdf(
  pages: readonly (readonly Placed[])[],
  kind: FontKind = "to-unicode",
  { drawn = [], annotations = [] }: More = {},
): Buffer {
  const hex = (text: string) => Buffer.from(text, "utf16le").swap16().toString("hex");
  const objects: string[] = [];
  const add = (body: string) => `${objects.push(body)} 0 R`;
  const stream = (body: string) => add(`<< /Length ${body.length} >>\nstream\n${body}\nendstream`);
  const toUnicode = stream(
    "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def\n" +
      "1 begincodespacerange <0000> <ffff> endcodespacerange 1 beginbfrange <0000> <ffff> <0000> endbfrange\n" +
      "endcmap CMapName currentdict /CMap defineresource pop end end",
  );
  const descendant = (ordering: string) =>
    add(
      `<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Batang /CIDSystemInfo << /Registry (Adobe) /Ordering (${ordering}) /Supplement 0 >> ` +
        "/DW 500 /FontDescriptor << /Type /FontDescriptor /FontName /Batang /Flags 4 /FontBBox [0 0 1000 1000] /ItalicAngle 0 /Ascent 800 /Descent 0 /CapHeight 700 /StemV 80 >> >>",
    );
  const font =
    kind === "standard"
      ? add("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
      : kind === "to-unicode"
        ? add(
            `<< /Type /Font /Subtype /Type0 /BaseFont /Batang /Encoding /Identity-H /DescendantFonts [${descendant("Identity")}] /ToUnicode ${toUnicode} >>`,
          )
        : add(
            kind === "predefined"
              ? `<< /Type /Font /Subtype /Type0 /BaseFont /Batang /Encoding /UniKS-UCS2-H /DescendantFonts [${descendant("Korea1")}] >>`
              : `<< /Type /Font /Subtype /Type0 /BaseFont /Mincho /Encoding /UniJIS-UCS2-H /DescendantFonts [${descendant("Japan1")}] >>`,
          );
  const parent = objects.length + pages.length * 2 + 1;
  const kids = pages.map((texts, i) => {
    const shown = texts.map(
      ({ text, x, y, size = 10, isTurned }) =>
        `BT /F1 ${size} Tf ${isTurned ? "0 1 -1 0" : "1 0 0 1"} ${x} ${y} Tm <${hex(text)}> Tj ET`,
    );
    const content = stream([...shown, drawn[i] ?? ""].join("\n"));
    return add(
      `<< /Type /Page /Parent ${parent} 0 R /MediaBox [0 0 600 800] /Resources << /Font << /F1 ${font} >> >> /Contents ${content} /Annots [${annotations[i] ?? ""}] >>`,
    );
  });
  const root = add(`<< /Type /Pages /Kids [${kids.join(" ")}] /Count ${kids.length} >>`);
  return toPdf(objects, add(`<< /Type /Catalog /Pages ${root} >>`));
}

/** A page whose content inflates, through two filters, to so many bytes. */
export function makeBomb(bytes: number): Buffer {
  const content = deflateSync(deflateSync(Buffer.alloc(bytes, "q\n"))).toString("latin1");
  const objects = [
    `<< /Length ${content.length} /Filter [/FlateDecode /FlateDecode] >>\nstream\n${content}\nendstream`,
    "<< /Type /Page /Parent 3 0 R /MediaBox [0 0 600 800] /Resources << >> /Contents 1 0 R >>",
    "<< /Type /Pages /Kids [2 0 R] /Count 1 >>",
    "<< /Type /Catalog /Pages 3 0 R >>",
  ];
  return toPdf(objects, "4 0 R");
}

/** The same file, as if it needed a password to be opened. */
export function withPassword(pdf: Buffer): Buffer {
  const key = "00".repeat(32);
  const encrypt = `/Encrypt << /Filter /Standard /V 2 /R 3 /Length 128 /P -4 /O <${key}> /U <${key}> >> /ID [<00> <00>] /Root`;
  return Buffer.from(pdf.toString("latin1").replace("/Root", encrypt), "latin1");
}

function toPdf(objects: readonly string[], catalog: string): Buffer {
  let body = "%PDF-1.7\n";
  const offsets = objects.map((object, i) => {
    const offset = body.length;
    body += `${i + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const table = offsets.map((offset) => `${String(offset).padStart(10, "0")} 00000 n \n`).join("");
  const end = `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${table}trailer\n<< /Size ${objects.length + 1} /Root ${catalog} >>`;
  return Buffer.from(`${body}${end}\nstartxref\n${body.length}\n%%EOF\n`, "latin1");
}

/** Lines below one another. */
export function lines(
  texts: readonly string[],
  place: { x: number; y: number; gap?: number; size?: number },
): Placed[] {
  const { x, y, gap = 14, size = 10 } = place;
  return texts.map((text, i) => ({ text, x, y: y - i * gap, size }));
}
