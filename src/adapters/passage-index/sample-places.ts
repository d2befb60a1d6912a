/** A document, as far as a sample of its collection is concerned. */
interface Sampled {
  readonly passages: number;
}

export interface SamplePlace<T> {
  readonly document: T;
  readonly ordinal: number;
}

/** Of `limit` passages, evenly spread over all passages of the documents, in their order. */
export function samplePlaces<T extends Sampled>(documents: readonly T[], limit: number): SamplePlace<T>[] {
  const total = documents.reduce((sum, { passages }) => sum + passages, 0);
  const wanted = Math.min(limit, total);
  /** The passage, counted through the collection, that is the nth of the sample. */
  const placeOf = (n: number) => Math.floor(((n + 0.5) * total) / wanted);
  const places: SamplePlace<T>[] = [];
  let start = 0;
  for (const document of documents) {
    const end = start + document.passages;
    for (let next = placeOf(places.length); places.length < wanted && next < end; next = placeOf(places.length)) {
      places.push({ document, ordinal: next - start });
    }
    start = end;
  }
  return places;
}
