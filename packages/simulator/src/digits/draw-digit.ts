import type { SeededRandom } from "@tributary/core";
import { drawLine, IMAGE_PIXELS, IMAGE_SIDE } from "./pen.ts";
import { SKELETONS, type Skeleton } from "./skeletons.ts";
import { maxCurvePoints, sampleCurve } from "./stroke-curve.ts";
import type { Writer } from "./writer.ts";

/** How far one writer's digits of one kind lie apart. */
const WITHIN = Object.freeze({
  slant: 0.1,
  turn: 0.06,
  height: 0.055,
  stretch: 0.08,
  penRadius: 0.09,
  offset: 1.1,
  bow: 0.05,
  noise: 0.07,
});

const MAX_POINTS = 24;
const control = new Float64Array(2 * MAX_POINTS);
const curve = new Float64Array(2 * maxCurvePoints(MAX_POINTS));
const line = new Float64Array(3 * maxCurvePoints(MAX_POINTS));
const ink = new Float32Array(IMAGE_PIXELS);

/** Draws one digit into `pixels` (784 bytes, 0 paper to 255 ink). */
export function drawDigit(random: SeededRandom, writer: Writer, digit: number, pixels: Uint8Array): void {
  const { usual, other, otherShare } = writer.forms[digit]!;
  const form = random.next() < otherShare ? other : usual;
  const skeleton = SKELETONS[digit]![form]!;
  const place = placement(random, writer, skeleton);
  const bends = writer.bends.get(`${digit}/${form}`)!;
  // One bow for the whole digit: the hand turns about the elbow.
  const bowX = WITHIN.bow * random.normal();
  const bowY = WITHIN.bow * random.normal();

  ink.fill(0);
  let point = 0;
  for (const stroke of skeleton.strokes) {
    let corner = false;
    stroke.forEach(([x, y], i) => {
      // A corner is a doubled point: both halves move together.
      corner = i > 0 && stroke[i - 1]![0] === x && stroke[i - 1]![1] === y;
      const at = 2 * i;
      if (corner) {
        control[at] = control[at - 2]!;
        control[at + 1] = control[at - 1]!;
      } else {
        const px = x + bends[2 * (point + i)]! + writer.unsteadiness * random.normal();
        const py = y + bends[2 * (point + i) + 1]! + writer.unsteadiness * random.normal();
        control[at] = px + bowX * (4 * py * (1 - py) - 0.5);
        control[at + 1] = py + bowY * (4 * px * (1 - px) - 0.5);
      }
    });
    const sampled = sampleCurve(control, stroke.length, curve);
    layInk(random, place, sampled);
    drawLine(ink, { points: line, length: sampled }, place.softness);
    point += stroke.length;
  }
  develop(random, writer.darkness, pixels);
}

interface Placement {
  readonly xx: number;
  readonly xy: number;
  readonly yx: number;
  readonly yy: number;
  readonly centerX: number;
  readonly centerY: number;
  readonly penRadius: number;
  readonly softness: number;
}

function placement(random: SeededRandom, writer: Writer, skeleton: Skeleton): Placement {
  const height = writer.height * (1 + WITHIN.height * random.normal());
  const width =
    height * Math.max(0.12, skeleton.aspect * writer.stretch * (1 + WITHIN.stretch * random.normal()));
  const slant = writer.slant + WITHIN.slant * random.normal();
  const turn = writer.turn + WITHIN.turn * random.normal();
  const upright = Math.sqrt(Math.max(0, 1 - turn * turn));
  const middle = (IMAGE_SIDE - 1) / 2;
  return {
    // Rotation after slant after scale; slant moves the top right.
    xx: width * upright,
    xy: -height * (slant * upright + turn),
    yx: width * turn,
    yy: height * (upright - slant * turn),
    centerX: middle + writer.offsetX + WITHIN.offset * random.normal(),
    centerY: middle + writer.offsetY + WITHIN.offset * random.normal(),
    penRadius: Math.max(0.4, writer.penRadius * (1 + WITHIN.penRadius * random.normal())),
    softness: writer.softness,
  };
}

/** Places a curve on the page and gives it the pen's width, which swells and fades along the stroke. */
function layInk(random: SeededRandom, place: Placement, count: number): void {
  const swell = 0.22 * (random.next() - 0.5);
  const fade = 0.3 * random.next();
  for (let i = 0; i < count; i++) {
    const x = curve[2 * i]! - 0.5;
    const y = curve[2 * i + 1]! - 0.5;
    const along = count > 1 ? i / (count - 1) : 0;
    const pressure = 1 + swell * (4 * along * (1 - along)) - fade * along * along * along;
    line[3 * i] = place.centerX + place.xx * x + place.xy * y;
    line[3 * i + 1] = place.centerY + place.yx * x + place.yy * y;
    line[3 * i + 2] = place.penRadius * pressure;
  }
}

/** Ink to bytes, with the grain of paper where there is ink. */
function develop(random: SeededRandom, darkness: number, pixels: Uint8Array): void {
  for (let i = 0; i < IMAGE_PIXELS; i++) {
    const cover = ink[i]!;
    if (cover === 0) {
      pixels[i] = 0;
      continue;
    }
    const grain = 1 + WITHIN.noise * (2 * random.next() - 1);
    const value = 255 * darkness * cover * grain;
    pixels[i] = value >= 255 ? 255 : value + 0.5;
  }
}
