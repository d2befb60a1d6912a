/** A fact, where in a turn it is said, how it is asked for later in other words, and what must then stand in the prompt. */
export interface Fact {
  readonly said: string;
  readonly by: "reader" | "answer" | "table" | "code";
  /** Said a few turns before the end, where compaction shortens; else somewhere before. */
  readonly late?: true;
  readonly asked: string;
  readonly key: string;
}

export const fact = (by: Fact["by"], said: string, asked: string, key: string): Fact => ({ by, said, asked, key });

export const FACTS: Readonly<Record<"en" | "ko", readonly Fact[]>> = {
  en: [
    fact(
      "reader",
      "By the way, my employee number is E-48213.",
      "What was the number I have as an employee?",
      "E-48213",
    ),
    fact("reader", "I report to Yuna Castellanos.", "Who is the person I report to?", "Castellanos"),
    fact("reader", "We book this trip on cost center 7741-B.", "Which cost center did we book on?", "7741-B"),
    fact(
      "reader",
      "I am allergic to shellfish, so mind that for the dinner.",
      "Is there food I am allergic to?",
      "shellfish",
    ),
    fact("reader", "Our team moved to the Larkspur building.", "In which building is our team now?", "Larkspur"),
    fact(
      "reader",
      "I started at the company on 3 March 2019.",
      "On which date did I start at the company?",
      "3 March 2019",
    ),
    fact("reader", "My laptop's asset tag is LT-90077.", "What is the tag on my laptop?", "LT-90077"),
    fact(
      "reader",
      "The visitor I expect is called Mr. Okonkwo.",
      "What is the name of the visitor whom I expect?",
      "Okonkwo",
    ),
    fact(
      "reader",
      "I prefer the train to flying.",
      "How do I prefer to travel, by train or by plane?",
      "train to flying",
    ),
    fact("reader", "The workshop was moved to Rotterdam.", "To which city was the workshop moved?", "Rotterdam"),
    fact(
      "answer",
      "Your ticket with the help desk is number 55120.",
      "What number does my help desk ticket have?",
      "55120",
    ),
    fact(
      "answer",
      "The approver for your request is Dana Whitcombe.",
      "Who is the approver of my request?",
      "Whitcombe",
    ),
    fact("answer", "The spare key is kept in cabinet Juniper.", "In which cabinet is the spare key kept?", "Juniper"),
    fact("answer", "Your parking space is P3-118.", "Which parking space is mine?", "P3-118"),
    fact("answer", "The next training takes place in room Bismuth.", "In which room is the next training?", "Bismuth"),
    fact("answer", "Your unused leave adds up to 6.5 days.", "How much unused leave do I have?", "6.5 days"),
    fact(
      "answer",
      "The contract with the caterer ends in November.",
      "When does the contract with the caterer end?",
      "November",
    ),
    fact("table", "| Osaka | 231 EUR |", "What is the hotel limit for Osaka in the table?", "231 EUR"),
    fact("table", "| Tallinn | 164 EUR |", "How high is the hotel limit in Tallinn?", "164 EUR"),
    fact(
      "code",
      'const endpoint = "payroll-eu-7.internal";',
      "Which endpoint stood in the script code?",
      "payroll-eu-7",
    ),
  ],
  ko: [
    fact("reader", "참고로 제 사번은 E-48213입니다.", "제 사번이 뭐였죠?", "E-48213"),
    fact("reader", "제 직속 상사는 남궁혜린 팀장입니다.", "제 상사가 누구라고 했죠?", "남궁혜린"),
    fact("reader", "이번 출장은 비용 코드 7741-B로 처리합니다.", "출장 비용 코드가 뭐였나요?", "7741-B"),
    fact("reader", "저는 갑각류 알레르기가 있습니다.", "제가 무슨 알레르기가 있다고 했나요?", "갑각류"),
    fact("reader", "우리 팀은 라일락동 건물로 옮겼습니다.", "우리 팀이 옮긴 건물은 어디인가요?", "라일락동"),
    fact("reader", "저는 2019년 3월 3일에 입사했습니다.", "제가 입사한 날이 언제였죠?", "2019년 3월 3일"),
    fact("reader", "제 노트북 자산 번호는 LT-90077입니다.", "노트북 자산 번호를 다시 알려 주세요.", "LT-90077"),
    fact("reader", "찾아올 방문객 이름은 제갈민수입니다.", "방문객 이름이 뭐였나요?", "제갈민수"),
    fact("reader", "저는 비행기보다 기차를 선호합니다.", "제가 선호하는 교통편은 무엇인가요?", "기차를 선호"),
    fact("reader", "워크숍 장소는 통영으로 바뀌었습니다.", "워크숍 장소가 어디로 바뀌었나요?", "통영"),
    fact("answer", "헬프데스크 접수 번호는 55120입니다.", "헬프데스크 접수 번호가 몇 번이었죠?", "55120"),
    fact("answer", "요청의 승인자는 황보석진 부장입니다.", "제 요청을 승인하는 사람은 누구죠?", "황보석진"),
    fact("answer", "예비 열쇠는 느티나무 보관함에 있습니다.", "예비 열쇠는 어느 보관함에 있나요?", "느티나무"),
    fact("answer", "지정 주차 구역은 P3-118입니다.", "제 주차 구역은 어디인가요?", "P3-118"),
    fact("answer", "다음 교육은 백두산 회의실에서 열립니다.", "다음 교육은 어느 회의실에서 하나요?", "백두산"),
    fact("answer", "남은 연차는 모두 6.5일입니다.", "남은 연차가 며칠인가요?", "6.5일"),
    fact("answer", "급식 업체와의 계약은 11월에 끝납니다.", "급식 업체 계약은 언제 끝나나요?", "11월"),
    fact("table", "| 오사카 | 231 EUR |", "표에서 오사카 숙박비 한도는 얼마였나요?", "231 EUR"),
    fact("table", "| 탈린 | 164 EUR |", "탈린의 숙박비 한도는 얼마인가요?", "164 EUR"),
    fact("code", 'const endpoint = "payroll-eu-7.internal";', "코드에 있던 엔드포인트 주소가 뭐였죠?", "payroll-eu-7"),
  ],
};

const CITIES = ["Vienna", "Lyon", "Porto", "Turin", "Gdansk", "Malmo", "Graz", "Bern", "Cork", "Brno"];

/** The text that carries a fact in an answer. */
export function carrier({ by, said }: Fact): string {
  if (by === "table") {
    const rows = CITIES.map((city, i) => `| ${city} | ${120 + i} EUR |`);
    return ["| City | Hotel limit |", "|---|---|", ...rows.slice(0, 5), said, ...rows.slice(5)].join("\n");
  }
  if (by === "code") {
    return [
      "```ts",
      'import { client } from "./client.ts";',
      "",
      said,
      "const page = 50;",
      "await client(endpoint, { page });",
      "```",
    ].join("\n");
  }
  return said;
}
