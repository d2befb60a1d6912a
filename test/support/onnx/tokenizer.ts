const SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const HANGUL = Array.from({ length: 11_172 }, (_, i) => String.fromCharCode(0xac00 + i));
const ASCII = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).filter((one) => !/[A-Z]/.test(one));

/** A BERT tokenizer (lower case, word pieces) of the words given, ASCII characters and Hangul syllables. */
export function wordPieces(words: readonly string[]) {
  const pieces: Record<string, number> = {};
  const characters = [...ASCII, ...HANGUL];
  const all = [
    ...SPECIAL,
    ...words.map((word) => word.toLowerCase()),
    ...characters,
    ...characters.map((one) => `##${one}`),
  ];
  for (const [id, piece] of [...new Set(all)].entries()) pieces[piece] = id;
  const special = (name: string) => ({ id: name, ids: [pieces[name]], tokens: [name] });
  const token = (id: string, type: number) => ({ SpecialToken: { id, type_id: type } });
  const sequence = (id: string, type: number) => ({ Sequence: { id, type_id: type } });
  const json = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: SPECIAL.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: false,
      lowercase: true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single: [token("[CLS]", 0), sequence("A", 0), token("[SEP]", 0)],
      pair: [token("[CLS]", 0), sequence("A", 0), token("[SEP]", 0), sequence("B", 1), token("[SEP]", 1)],
      special_tokens: { "[CLS]": special("[CLS]"), "[SEP]": special("[SEP]") },
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: pieces,
    },
  };
  return { pieces, json, special: SPECIAL.length };
}
