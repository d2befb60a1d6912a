/**
 * The same sentence in Korean and English. Whether an embedder finds each by the other says whether it brings the languages
 * together, which no collection in one language can tell. Everyday and office matters, no names or numbers shared.
 */
export const PARALLEL: readonly (readonly [ko: string, en: string])[] = [
  ["비밀번호를 잊어버렸을 때 다시 설정하는 방법", "How to reset a password you have forgotten"],
  ["회의실은 하루 전에 예약해야 합니다", "Meeting rooms must be booked a day ahead"],
  ["아이가 태어나면 휴가를 받을 수 있나요?", "Can I take leave when my child is born?"],
  ["서버가 응답하지 않으면 다시 시작하세요", "Restart the server if it does not respond"],
  ["환자는 수술 후 빠르게 회복했다", "The patient recovered quickly after surgery"],
  ["이 계약은 한 달 전에 알리고 해지할 수 있다", "This contract may be ended with one month's notice"],
  ["지난 분기 매출이 크게 늘었습니다", "Sales grew strongly last quarter"],
  ["데이터베이스를 백업하고 복구하는 절차", "Procedure for backing up and restoring the database"],
  ["강 근처의 오래된 다리가 무너졌다", "The old bridge near the river collapsed"],
  ["물건을 환불받으려면 영수증이 필요합니다", "You need the receipt to get a refund for goods"],
  ["운전하기 전에 안전벨트를 매세요", "Fasten your seat belt before driving"],
  ["그 영화의 음악은 누가 만들었나요?", "Who composed the music of that film?"],
  ["세포는 빛에서 에너지를 얻는다", "Cells obtain energy from light"],
  ["파일을 올리기 전에 크기를 확인하세요", "Check the size of a file before uploading it"],
  ["월급은 매달 마지막 날에 지급됩니다", "Wages are paid on the last day of each month"],
  ["겨울에는 눈이 많이 와서 학교가 문을 닫았다", "Schools closed in winter because of heavy snow"],
  ["새 직원을 위한 교육 일정", "Training schedule for new employees"],
  ["의사는 매일 운동하라고 권했다", "The doctor advised exercising every day"],
  ["개인 정보를 허락 없이 공개하면 안 됩니다", "Personal data must not be disclosed without permission"],
  ["함수의 결과를 변수에 저장합니다", "Store the result of the function in a variable"],
  ["출장비는 어떻게 청구하나요?", "How do I claim travel expenses?"],
  ["축구 경기는 비 때문에 취소되었다", "The football match was cancelled because of rain"],
  ["건물에 불이 나면 계단으로 대피하세요", "Use the stairs to leave the building in a fire"],
  ["왕은 전쟁이 끝난 뒤 수도를 옮겼다", "The king moved the capital after the war"],
];
