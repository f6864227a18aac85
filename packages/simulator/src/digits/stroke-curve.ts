/** Points per span between two skeleton points. */
const STEPS = 5;

/**
 * A smooth curve (Catmull-Rom) through flat x, y pairs, sampled into `out`; a doubled point stays a corner.
 * @returns the number of points written
 */
export function sampleCurve(points: Float64Array, count: number, out: Float64Array): number {
  let written = 0;
  const put = (x: number, y: number): void => {
    out[2 * written] = x;
    out[2 * written + 1] = y;
    written++;
  };
  put(points[0]!, points[1]!);
  for (let i = 0; i + 1 < count; i++) {
    const before = 2 * Math.max(0, i - 1);
    const from = 2 * i;
    const to = 2 * i + 2;
    const after = 2 * Math.min(count - 1, i + 2);
    const [x0, y0, x1, y1] = [points[before]!, points[before + 1]!, points[from]!, points[from + 1]!];
    const [x2, y2, x3, y3] = [points[to]!, points[to + 1]!, points[after]!, points[after + 1]!];
    if (x1 === x2 && y1 === y2) continue;
    for (let step = 1; step <= STEPS; step++) {
      const t = step / STEPS;
      put(catmullRom(x0, x1, x2, x3, t), catmullRom(y0, y1, y2, y3, t));
    }
  }
  return written;
}

function catmullRom(a: number, b: number, c: number, d: number, t: number): number {
  return 0.5 * (2 * b + t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))));
}

/** The most points `sampleCurve` writes for `count` skeleton points. */
export function maxCurvePoints(count: number): number {
  return STEPS * count + 1;
}
