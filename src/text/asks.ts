/** Of a sentence: that it asks or requests, and states nothing. */
export const ASKS =
  /[?？]\s*$|(?:주세요|줘요?|주십시오|까요|[인한은던]가요|나요|니까|주시면 (?:감사하겠|고맙겠)습니다)[.!]?\s*$|^(?:please|tell|show|give|explain|what|who|when|where|why|how)\b/iu;

/** Of a question: "What about London?", "런던은 얼마예요?" may ask of another what was asked of one. */
export const CONTRASTS = /^(?:and|or|but|(?:what|how) about)\b|[\p{L}\p{N}](?:은|는|도)(?:요?\s*\?*$|\s)/iu;
