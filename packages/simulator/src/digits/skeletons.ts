/**
 * How people write the ten digits: several skeletons each, as pen strokes in a unit box (x right, y down).
 * A stroke is a list of points that a smooth curve runs through; a point given twice is a sharp corner.
 */
export type Stroke = readonly (readonly [x: number, y: number])[];

export interface Skeleton {
  readonly strokes: readonly Stroke[];
  /** How common the form is among writers. */
  readonly weight: number;
  /** Width of the form at height 1. */
  readonly aspect: number;
}

/** Strokes as texts of "x,y" points in hundredths of the box. */
function skeleton(weight: number, aspect: number, ...strokes: string[]): Skeleton {
  const point = (text: string): readonly [number, number] => {
    const [x, y] = text.split(",");
    return [Number(x) / 100, Number(y) / 100];
  };
  return { weight, aspect, strokes: strokes.map((stroke) => stroke.split(" ").map(point)) };
}

/** Indexed by digit. */
export const SKELETONS: readonly (readonly Skeleton[])[] = [
  [
    // closed oval
    skeleton(5, 0.72, "50,0 20,12 6,50 20,88 50,100 80,88 94,50 80,12 50,0"),
    // ends cross at the top right
    skeleton(3, 0.7, "72,10 42,0 14,22 6,58 25,93 55,100 85,78 93,40 72,8 40,6"),
    // open at the top
    skeleton(2, 0.72, "42,2 14,25 8,60 28,95 60,98 88,70 90,32 68,6"),
    // drawn from the top, tail inwards
    skeleton(1, 0.75, "60,0 25,10 7,45 20,85 55,100 85,80 93,42 75,12 50,2 42,22"),
  ],
  [
    // straight
    skeleton(5, 0.1, "50,0 50,50 50,100"),
    // with a flag
    skeleton(2, 0.45, "10,28 70,0 70,0 70,50 70,100"),
    // with a flag and a base
    skeleton(1.5, 0.55, "12,25 50,0 50,0 50,50 50,100", "2,100 50,99 98,100"),
    // leaning
    skeleton(2, 0.3, "85,0 50,50 15,100"),
  ],
  [
    // sharp foot
    skeleton(3, 0.75, "10,24 30,3 62,0 84,20 76,45 45,75 6,100 6,100 50,97 96,98"),
    // looped foot
    skeleton(3, 0.85, "12,22 36,0 68,6 78,30 60,62 32,92 8,98 4,84 22,78 50,90 76,100 98,90"),
    // like a Z
    skeleton(1.5, 0.75, "10,8 50,2 85,6 85,6 48,50 8,98 8,98 50,100 94,96"),
    // swan: steep back, wavy foot
    skeleton(1.5, 0.7, "14,34 20,10 50,0 82,14 80,40 50,70 14,95 40,90 66,98 96,92"),
  ],
  [
    // two bows
    skeleton(3, 0.68, "12,13 45,0 80,14 74,37 40,47 40,47 82,58 88,82 50,100 6,90"),
    // flat top
    skeleton(1.5, 0.7, "12,3 50,2 86,3 86,3 42,42 42,42 80,52 90,78 50,100 6,88"),
    // a small loop at the waist
    skeleton(2, 0.68, "10,10 50,0 82,16 64,42 34,52 38,42 70,50 92,72 64,97 10,95"),
    // rounded, no corner at the waist
    skeleton(1.5, 0.55, "10,4 60,2 84,20 66,42 62,50 86,66 82,88 48,100 4,96"),
  ],
  [
    // open top
    skeleton(4, 0.75, "16,2 10,30 6,58 6,58 50,57 96,53", "76,0 72,50 66,100"),
    // closed triangle
    skeleton(2, 0.75, "66,0 36,32 4,66 4,66 50,66 96,64", "66,0 66,50 64,100"),
    // one stroke, round cup
    skeleton(2, 0.62, "16,0 6,28 16,50 50,52 84,34 92,4 92,4 80,50 70,100"),
    // low cross bar, stem from the bar up
    skeleton(1.5, 0.8, "30,0 18,25 4,46 4,46 40,50 98,42", "66,16 60,60 48,100"),
  ],
  [
    // body, then the bar
    skeleton(3, 0.68, "22,4 18,24 16,44 16,44 52,38 88,58 82,88 46,100 6,92", "22,5 55,4 94,0"),
    // one stroke
    skeleton(2.5, 0.7, "90,2 60,2 28,4 28,4 20,42 20,42 56,38 88,60 74,92 36,100 5,90"),
    // like an S
    skeleton(1.5, 0.62, "90,8 58,0 28,14 30,36 64,50 84,72 64,96 30,100 4,88"),
    // wide and flat
    skeleton(1, 0.95, "96,0 62,6 36,8 36,8 24,42 24,42 56,46 72,70 50,94 4,100"),
  ],
  [
    // one bow into a ring
    skeleton(3, 0.64, "72,0 38,22 10,60 20,92 50,100 84,88 86,66 56,52 24,62 12,78"),
    // small low loop
    skeleton(2, 0.55, "70,0 34,34 8,72 22,98 58,100 88,86 72,68 38,72 16,88"),
    // like a b
    skeleton(1.5, 0.55, "22,0 10,40 8,80 36,100 76,94 94,72 70,52 34,56 10,76"),
    // a wide hook, the loop crosses it
    skeleton(1.5, 0.7, "94,8 60,2 22,26 6,64 26,96 64,98 86,76 62,56 30,64 2,82"),
  ],
  [
    // plain
    skeleton(4, 0.68, "6,5 50,3 92,2 92,2 60,45 42,100"),
    // crossed
    skeleton(2, 0.7, "6,6 50,3 92,2 92,2 60,48 36,100", "26,54 54,51 84,50"),
    // with a serif
    skeleton(1.5, 0.68, "6,24 10,5 10,5 50,6 92,0 92,0 66,45 56,100"),
    // rounded shoulder
    skeleton(2, 0.6, "5,16 28,2 62,4 88,10 80,34 56,66 46,100"),
  ],
  [
    // S and back
    skeleton(3.5, 0.62, "80,14 48,0 18,16 34,40 74,62 80,88 46,100 12,86 22,62 64,42 86,20 74,8"),
    // two rings
    skeleton(
      2,
      0.6,
      "50,46 20,36 20,10 50,0 80,10 80,36 50,46",
      "50,46 12,60 12,90 50,100 88,90 88,60 50,46",
    ),
    // open at the top right
    skeleton(2, 0.66, "94,6 56,4 20,16 30,42 68,64 74,90 44,100 14,86 28,62 66,40 96,14"),
    // narrow, from the middle
    skeleton(1, 0.48, "56,50 20,30 30,4 70,2 80,26 46,54 12,78 30,100 72,98 86,76 50,46"),
  ],
  [
    // ring and slanting stem
    skeleton(3, 0.6, "86,16 54,0 16,14 14,38 46,48 80,30 88,10 80,50 64,100"),
    // hooked tail
    skeleton(2, 0.62, "84,20 56,0 16,12 14,38 46,50 80,30 86,14 84,60 64,96 18,96"),
    // straight stem
    skeleton(2, 0.6, "82,10 46,2 12,18 18,42 54,46 82,24 84,2 84,2 82,50 80,100"),
    // like a g, closed low
    skeleton(1.5, 0.55, "74,4 30,6 8,30 30,50 66,40 90,6 78,44 46,100"),
  ],
];
