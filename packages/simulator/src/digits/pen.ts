/** Width and height of an image in pixels. */
export const IMAGE_SIDE = 28;
export const IMAGE_PIXELS = IMAGE_SIDE * IMAGE_SIDE;

/** A pen line through points, in pixels: flat x, y, radius triples. */
export interface PenLine {
  readonly points: Float64Array;
  readonly length: number;
}

/**
 * Draws lines with a round pen into `ink` (values 0 to 1, row-major, maximum of what is there and the new line).
 * @param softness half-width of the pen's blurred rim in pixels
 */
export function drawLine(ink: Float32Array, line: PenLine, softness: number): void {
  const { points, length } = line;
  for (let i = 0; i + 1 < length; i++) {
    const at = 3 * i;
    drawSegment(
      ink,
      points[at]!,
      points[at + 1]!,
      points[at + 2]!,
      points[at + 3]!,
      points[at + 4]!,
      points[at + 5]!,
      softness,
    );
  }
}

function drawSegment(
  ink: Float32Array,
  x0: number,
  y0: number,
  r0: number,
  x1: number,
  y1: number,
  r1: number,
  softness: number,
): void {
  const reach = Math.max(r0, r1) + softness;
  const left = Math.max(0, Math.ceil(Math.min(x0, x1) - reach));
  const right = Math.min(IMAGE_SIDE - 1, Math.floor(Math.max(x0, x1) + reach));
  const top = Math.max(0, Math.ceil(Math.min(y0, y1) - reach));
  const bottom = Math.min(IMAGE_SIDE - 1, Math.floor(Math.max(y0, y1) + reach));
  const dx = x1 - x0;
  const dy = y1 - y0;
  const perLength = 1 / Math.max(dx * dx + dy * dy, 1e-9);
  const perRim = 0.5 / softness;
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      let t = ((x - x0) * dx + (y - y0) * dy) * perLength;
      t = t < 0 ? 0 : t > 1 ? 1 : t;
      const ex = x - x0 - t * dx;
      const ey = y - y0 - t * dy;
      const rim = r0 + t * (r1 - r0) + softness;
      const squared = ex * ex + ey * ey;
      if (squared >= rim * rim) continue;
      const inside = (rim - Math.sqrt(squared)) * perRim;
      const cover = inside >= 1 ? 1 : inside * inside * (3 - 2 * inside);
      const pixel = y * IMAGE_SIDE + x;
      if (cover > ink[pixel]!) ink[pixel] = cover;
    }
  }
}
