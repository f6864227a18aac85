/** A number of things: "1 round", "3 rounds". @param word in the singular; its plural ends in s */
export const counted = (count: number, word: string): string => `${count} ${word}${count === 1 ? "" : "s"}`;
