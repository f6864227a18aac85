/** What was drawn, as lines: independent of the size and pixel density of the screen. */

/** A point of a stroke. x and y in units of the pad's width; width is the pen's, relative, about 1. */
export interface StrokePoint {
  readonly x: number;
  readonly y: number;
  readonly width: number;
}

export type Stroke = readonly StrokePoint[];

/** Side of a model image, in pixels. */
export const IMAGE_SIDE = 28;

/** The digit fits a box of this side, as in MNIST. */
const BOX_SIDE = 20;

/** Half the pen's width in image pixels, about that of MNIST's digits. */
const PEN_RADIUS = 1.15;

/** A dot is not blown up to fill the box: the smallest extent, of the pad's width, that is scaled to it. */
const SMALLEST_EXTENT = 0.18;

/** Where the pad lies in the model's image: a point of it is at `scale` times its place, plus `dx` and `dy`, in image pixels. */
export interface Placement {
  readonly scale: number;
  readonly dx: number;
  readonly dy: number;
}

export interface PlacedDigit {
  /** 784 values in [0, 1], row by row, ink is 1. */
  readonly image: Float32Array<ArrayBuffer>;
  readonly placement: Placement;
}

/**
 * Renders strokes as MNIST was made: cropped, scaled to a 20x20 box with its proportions kept, and placed with its
 * centre of mass in the middle of 28x28.
 *
 * @returns 784 values in [0, 1], row by row, ink is 1; all zero without strokes.
 */
export function renderDigit(strokes: readonly Stroke[]): Float32Array<ArrayBuffer> {
  return placeDigit(strokes).image;
}

/** The same, and where it lies. */
export function placeDigit(strokes: readonly Stroke[]): PlacedDigit {
  const points = strokes.flat();
  if (points.length === 0) {
    const image = new Float32Array(IMAGE_SIDE * IMAGE_SIDE);
    return { image, placement: { scale: IMAGE_SIDE, dx: 0, dy: 0 } };
  }
  const left = Math.min(...points.map((point) => point.x));
  const right = Math.max(...points.map((point) => point.x));
  const top = Math.min(...points.map((point) => point.y));
  const bottom = Math.max(...points.map((point) => point.y));
  const extent = Math.max(right - left, bottom - top, SMALLEST_EXTENT);
  // The pen's width lies inside the box too.
  const scale = (BOX_SIDE - 2 * PEN_RADIUS) / extent;
  const middle = IMAGE_SIDE / 2;
  const placementBy = (dx: number, dy: number): Placement => ({
    scale,
    dx: middle + dx - ((left + right) / 2) * scale,
    dy: middle + dy - ((top + bottom) / 2) * scale,
  });
  const first = rasterize(placed(strokes, placementBy(0, 0)));
  const mass = centreOfMass(first);
  const placement = placementBy(middle - mass.x, middle - mass.y);
  return { image: rasterize(placed(strokes, placement)), placement };
}

function placed(strokes: readonly Stroke[], { scale, dx, dy }: Placement): Stroke[] {
  return strokes.map((stroke) =>
    stroke.map(({ x, y, width }) => ({ x: x * scale + dx, y: y * scale + dy, width })),
  );
}

/** Antialiased round pen: coverage falls linearly over one pixel at the edge. */
function rasterize(strokes: readonly Stroke[]): Float32Array<ArrayBuffer> {
  const image = new Float32Array(IMAGE_SIDE * IMAGE_SIDE);
  for (const stroke of strokes) {
    for (let index = 0; index < stroke.length; index++) {
      const to = stroke[index]!;
      const from = stroke[index - 1] ?? to;
      if (index === 0 && stroke.length > 1) continue;
      drawSegment(image, from, to);
    }
  }
  return image;
}

function drawSegment(image: Float32Array, from: StrokePoint, to: StrokePoint): void {
  const reach = PEN_RADIUS * Math.max(from.width, to.width) + 1;
  const x0 = clampPixel(Math.min(from.x, to.x) - reach);
  const x1 = clampPixel(Math.max(from.x, to.x) + reach);
  const y0 = clampPixel(Math.min(from.y, to.y) - reach);
  const y1 = clampPixel(Math.max(from.y, to.y) + reach);
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const length2 = dx * dx + dy * dy;
  for (let row = y0; row <= y1; row++) {
    for (let column = x0; column <= x1; column++) {
      const px = column + 0.5 - from.x;
      const py = row + 0.5 - from.y;
      const along = length2 === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / length2));
      const distance = Math.hypot(px - along * dx, py - along * dy);
      const radius = PEN_RADIUS * (from.width + (to.width - from.width) * along);
      const ink = Math.min(1, Math.max(0, radius - distance + 0.5));
      const at = row * IMAGE_SIDE + column;
      if (ink > image[at]!) image[at] = ink;
    }
  }
}

function clampPixel(value: number): number {
  return Math.min(IMAGE_SIDE - 1, Math.max(0, Math.floor(value)));
}

function centreOfMass(image: Float32Array): { x: number; y: number } {
  let mass = 0;
  let x = 0;
  let y = 0;
  for (let at = 0; at < image.length; at++) {
    const ink = image[at]!;
    mass += ink;
    x += ink * ((at % IMAGE_SIDE) + 0.5);
    y += ink * (Math.floor(at / IMAGE_SIDE) + 0.5);
  }
  return mass === 0 ? { x: IMAGE_SIDE / 2, y: IMAGE_SIDE / 2 } : { x: x / mass, y: y / mass };
}
