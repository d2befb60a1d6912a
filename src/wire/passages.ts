import type { Passage, PassagePlace, Source } from "../types.ts";
import { metadataFrom, type Struct, structOf } from "./values.ts";

/** A message with metadata as a struct. */
type WithStruct<T extends { readonly metadata: unknown }> = Omit<T, "metadata"> & { readonly metadata: Struct | null };

export type PassageMessage = WithStruct<Passage>;
export type SourceMessage = WithStruct<Omit<Source, "alsoIn">> & { readonly alsoIn: readonly PassagePlace[] };

export function passageMessage(passage: Passage): PassageMessage {
  return { ...passage, metadata: structOf(passage.metadata) };
}

export function passageFrom(message: PassageMessage): Passage {
  const { id, documentId, title, headings, text, tokens, metadata } = message;
  return { id, documentId, title, headings, text, tokens, ...where(message), metadata: metadataFrom(metadata) };
}

export function sourceMessage(source: Source): SourceMessage {
  return { ...source, metadata: structOf(source.metadata), alsoIn: source.alsoIn ?? [] };
}

export function sourceFrom(message: SourceMessage): Source {
  const { n, passageId, documentId, title, headings, text, score, metadata, alsoIn } = message;
  const own = { n, passageId, documentId, title, headings, text, score };
  const places = alsoIn.map((place) => ({
    passageId: place.passageId,
    documentId: place.documentId,
    title: place.title,
    headings: place.headings,
    ...where(place),
  }));
  return {
    ...own,
    ...where(message),
    metadata: metadataFrom(metadata),
    ...(places.length > 0 && { alsoIn: places }),
  };
}

/** What a passage may lack. */
function where({ page, pageEnd, url }: { readonly page?: number; readonly pageEnd?: number; readonly url?: string }) {
  return {
    ...(page !== undefined && { page }),
    ...(pageEnd !== undefined && { pageEnd }),
    ...(url !== undefined && { url }),
  };
}
