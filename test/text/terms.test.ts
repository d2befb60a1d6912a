import { expect, test } from "vitest";
import { held, termsOf } from "../../src/text/terms.ts";
import { searchTokens } from "../../src/text/tokens.ts";
import { verbForms } from "../../src/text/verb-forms.ts";
import { cpuMs } from "../support/cpu.ts";

test.each([
  ["육아휴직은 언제 신청하나요?", ["육아휴직", "신청"]],
  ["언제 신청해?", ["신청"]],
  ["담당자는 누구야?", ["담당자"]],
  ["정기 주차권은 얼마야?", ["정기", "주차권"]],
  ["연구분야는 뭐야?", ["연구분야"]],
  ["E3007이 뭐야?", ["e3007"]],
  ["CISO한테 언제 보고해?", ["ciso", "보고"]],
  ["비밀번호 규칙이 뭐냐", ["비밀번호", "규칙"]],
  ["며칠 쉴 수 있냐", []],
  ["지금 신청하냐?", ["신청"]],
  ["E3007임?", ["e3007"]],
  ["얼마인데?", []],
  ["몇 명부터 가능한가요?", []],
  ["사외이사 비율 알려주세요", ["사외이사", "비율"]],
  ["사외이사 비율이 어떻게 돼요?", ["사외이사", "비율"]],
  ["사외이사 비율에 관해서 말씀해 주실 수 있을까요?", ["사외이사", "비율"]],
  ["PR 200줄도 괜찮아요?", ["pr", "200줄"]],
  ["비번은 몇번까지 틀려도 돼요?", ["비번", "틀려"]],
  ["퇴직하기 며칠 전에 알려야 하나요?", ["퇴직하기", "알려야"]],
  ["보고서는 언제까지 써야 돼요?", ["보고서"]],
  ["주차와 하계 휴가가 되는지 궁금합니다", ["주차", "하계", "휴가"]],
  ...[
    "얼마였죠|얼마였나요|얼마였습니까|얼마더라|얼마라고 했죠|얼마라고 하셨죠|얼마입니까|얼마씩인가요|얼마 정도 되나요|얼마 내야 해요",
    "며칠이었죠|며칠 남았나요|며칠 안에 해야 하나요|언제였죠|언제까지였죠|언제쯤인가요|언제 내나요|누구였나요|어디로 가야 하나요",
    "뭐였죠|뭐더라|뭐라고 하셨죠|무엇이었나요|있었죠|있다고 했죠|있다고 하셨는데 맞나요|됐나요|어떻게 됐죠|안 되나요|안되나요",
    "필요해요|필요한가요|가능한지 궁금합니다|아닌가요|어떻게 되는 거예요|알려주시기 바랍니다|알려주실래요|문의드립니다|여쭤보고 싶습니다",
  ]
    .flatMap((line) => line.split("|"))
    .map((asking): [string, string[]] => [`위약벌은 ${asking}?`, ["위약벌"]]),
  ["연차는 언제 신청했나요?", ["연차", "신청"]],
  ["팀장이 승인하였는지 알려 주세요", ["팀장", "승인"]],
  ["드립커피 분야 해당 도시입니까?", ["드립커피", "분야", "해당", "도시"]],
  ["지하 바나나 휴가죠?", ["지하", "바나나", "휴가"]],
  ["3일은 며칠인가요?", ["3일"]],
  ["뭐가 있어요?", []],
  ["반납은 되나여", ["반납"]],
  ["서류는 내야대요?", ["서류"]],
  ["월급날이 언제져?", ["월급날"]],
  ["수여식 참여", ["수여식", "참여"]],
  ["안녕하세요, 다름이 아니라 수고비는 누가 주나요?", ["수고비"]],
  ["수고 많으십니다. 바쁘신데 죄송하지만 검진은 언제인가요?", ["검진"]],
  ["팀장님께서 신청하셔야 하나요?", ["팀장님", "신청"]],
  ["신청하시려면 며칠 남았나요?", ["신청"]],
  ["지각 3회면 결근인가요?", ["지각", "3회", "결근"]],
  ["급여일이 토요일이면?", ["급여일", "토요일"]],
  ["정규직과 계약직 상여금 차이", ["정규직", "계약직", "상여금"]],
  ["사직서 언제까지 내야됨", ["사직서"]],
  ["퇴직금언제까지줘야되나요", ["퇴직금"]],
  ["해외출장은누가승인하나요", ["해외출장", "승인"]],
  ["점심시간이언제에요", ["점심시간"]],
  ["연차몇일전까지신청해야돼요", ["연차", "신청"]],
  ["휴게실에서흡연하려면", ["휴게실", "흡연"]],
  ["2025년은?", ["2025년"]],
  ["2025년도 예산은?", ["2025년도", "예산"]],
  ["제4조가 뭐예요?", ["4조"]],
  ["3개월까지인가요?", ["3개월"]],
  ["IT지원팀이 하나요?", ["it지원팀"]],
  ["IT제도 안내", ["it제도", "안내"]],
  ["How many days of annual leave do we get?", ["days", "annual", "leave"]],
])("%s", (question, words) => {
  expect(termsOf(question).map(({ word }) => word)).toEqual(words);
});

test("takes little time for words of any length", () => {
  const started = cpuMs();
  for (let i = 0; i < 40; i++) termsOf(Array(5).fill("은".repeat(16_000)).join(" "));
  expect(cpuMs() - started).toBeLessThan(2000);
});

const ASKED = "바꾸나요 바꿔야_하나요 바꿔야하나요 바꿔야_돼요 바꿨나요 바꿉니까 바꿀까요 바꾸려면".replaceAll(
  "_",
  " ",
);
const SAID = ["90일마다 바꾼다.", "새 것으로 바꿉니다", "바꿀 때", "바꿔 줍니다", "바꿨습니다", "바꾸면", "바꿈"];

test.each(ASKED.split(/ (?=바)/).flatMap((asked) => SAID.map((text) => [asked, text] as const)))(
  "a verb is held in any of its forms: %s, %s",
  (asked, text) => {
    const [term, ...others] = termsOf(`언제 ${asked}?`);
    expect(others).toEqual([]);
    expect(term && held(term, new Set(searchTokens(text)))).toBe(1);
  },
);

test.each([
  ["계정이 잠겼나요?", "잠긴 계정은 풀어 준다", 1],
  ["누가 알려야 하나요?", "팀장이 알린다", 1],
  ["장학금은 어디에 보내나요?", "서류를 보낸다", 1],
  ["언제 바꾸나요?", "바구니", 0],
  ["언제까지 제출해야 하나요?", "제출서류", 1],
  ["언제까지 제출해야하나요?", "제출서류", 1],
  // A noun is what it is.
  ["바구니는 얼마인가요?", "바군", 0],
  ["휴가 신청하나요?", "휴간", 0],
])("%s of %s: %d", (question, text, share) => {
  const tokens = new Set(searchTokens(text));
  expect(Math.max(0, ...termsOf(question).map((term) => held(term, tokens)))).toBe(share);
});

test("the forms of a last syllable are the same, whichever it has; one that never changes has none", () => {
  const all = (syllable: string) => [syllable, ...verbForms(syllable)].sort();
  for (const form of ["꾼", "꿀", "꿉"]) expect(all(form)).toEqual(all("꾸"));
  for (const form of ["꿔", "꿨"]) expect(all(form)).toEqual(expect.arrayContaining(all("꾸")));
  expect(all("꾸")).toEqual(["꾸", "꾼", "꿀", "꿈", "꿉", "꿔", "꿨", "꿌"].sort());
  for (const syllable of ["찾", "A", "", "1"]) expect(verbForms(syllable)).toEqual([]);
});

test.each(["얼마나 자주", "얼마나 많이", "얼마나 오래", "얼마나 빨리"])(
  "%s asks, and is looked for in no text",
  (asked) => {
    expect(termsOf(`비밀번호는 ${asked} 되나요?`).map(({ word }) => word)).toEqual(["비밀번호"]);
  },
);
