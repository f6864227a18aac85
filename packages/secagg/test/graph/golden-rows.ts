type Adversary = "curious" | "semi-malicious";

/** Published rows of the deployed parameter finder: clients, corruption, dropout, class, degree, threshold. */
export const GOLDEN_ROWS: readonly (readonly [number, number, number, Adversary, number, number])[] = [
  [1000, 0.05, 0.05, "curious", 30, 17],
  [10_000, 0.05, 0.05, "curious", 34, 20],
  [1_000_000, 0.05, 0.05, "curious", 38, 22],
  [1000, 0.05, 0.05, "semi-malicious", 52, 37],
  [10_000, 0.05, 0.05, "semi-malicious", 62, 44],
  [100, 0.05, 0.33, "curious", 28, 6],
  [1000, 0.05, 0.33, "curious", 72, 24],
  [10_000, 0.05, 0.33, "curious", 86, 29],
  [100, 0.05, 0.33, "semi-malicious", 72, 39],
  [1000, 0.05, 0.33, "semi-malicious", 398, 223],
  [10_000, 0.05, 0.33, "semi-malicious", 746, 420],
  [100, 0.33, 0.05, "curious", 34, 29],
  [1000, 0.33, 0.05, "curious", 78, 60],
  [100, 0.33, 0.05, "semi-malicious", 42, 37],
  [1000, 0.33, 0.05, "semi-malicious", 132, 109],
  [100, 0.33, 0.33, "curious", 68, 34],
  [1000, 0.33, 0.33, "curious", 286, 150],
  [10_000, 0.33, 0.33, "curious", 422, 221],
  [1000, 0.45, 0.45, "curious", 822, 417],
  [1000, 0.3, 0.3, "semi-malicious", 872, 584],
  [100, 0.33, 0, "curious", 26, 25],
  [100, 0.33, 0, "semi-malicious", 26, 26],
];

export const WORKING_TABLE_CLIENTS = [32, 64, 100, 128, 200, 256, 500, 1000, 2000, 5000, 10_000];

/** degree/threshold for each of the sizes above. */
export const WORKING_TABLE: readonly (readonly [Adversary, number, number, string])[] = [
  ["curious", 0.05, 0.1, "6/2 10/4 16/6 16/7 24/11 26/13 32/17 36/19 38/20 40/21 42/22"],
  ["curious", 0.1, 0.1, "8/4 14/7 22/11 24/13 34/19 36/20 42/24 48/27 50/28 52/30 54/31"],
  ["curious", 0.1, 0.3, "14/4 24/7 34/11 38/13 54/21 60/24 76/31 88/36 98/40 106/43 108/44"],
  ["curious", 0.2, 0.3, "16/7 32/13 48/21 58/26 80/38 90/43 120/57 140/67 160/76 172/82 182/87"],
  ["curious", 0.33, 0.1, "14/11 28/22 42/32 48/36 66/47 72/52 90/64 102/72 112/79 120/84 126/88"],
  ["curious", 0.1, 0.5, "20/4 38/7 50/11 58/13 82/21 96/26 138/40 170/50 196/58 220/65 230/68"],
  ["semi-malicious", 0.05, 0.1, "8/5 16/10 26/16 30/19 42/27 48/31 66/44 78/52 84/56 90/60 96/64"],
  ["semi-malicious", 0.1, 0.1, "10/7 20/14 32/22 38/26 56/39 62/43 82/57 96/67 106/74 116/81 122/85"],
];
