import { describe, expect, test } from "vitest";
import { IMAGE_SIDE, placeDigit, renderDigit } from "../src/strokes.ts";
import type { Stroke } from "../src/strokes.ts";

const seven: Stroke = [
  { x: 0.2, y: 0.2, width: 1 },
  { x: 0.7, y: 0.2, width: 1 },
  { x: 0.4, y: 0.9, width: 1 },
];

function moved(stroke: Stroke, scale: number, dx: number, dy: number): Stroke {
  return stroke.map(({ x, y, width }) => ({ x: x * scale + dx, y: y * scale + dy, width }));
}

/** Rows or columns with ink, first and last. */
function extent(image: Float32Array, axis: "x" | "y"): [number, number] {
  const lit = [...image.keys()]
    .filter((at) => image[at]! > 0.25)
    .map((at) => (axis === "x" ? at % IMAGE_SIDE : Math.floor(at / IMAGE_SIDE)));
  return [Math.min(...lit), Math.max(...lit)];
}

function centre(image: Float32Array): [number, number] {
  let [mass, x, y] = [0, 0, 0];
  image.forEach((ink, at) => {
    mass += ink;
    x += ink * ((at % IMAGE_SIDE) + 0.5);
    y += ink * (Math.floor(at / IMAGE_SIDE) + 0.5);
  });
  return [x / mass, y / mass];
}

describe("a drawing, as the model gets it", () => {
  test("fits a box of 20, its centre of mass in the middle of 28", () => {
    const image = renderDigit([seven]);
    const [top, bottom] = extent(image, "y");
    expect(bottom - top + 1).toBeGreaterThanOrEqual(19);
    expect(bottom - top + 1).toBeLessThanOrEqual(21);
    const [x, y] = centre(image);
    expect(Math.abs(x - 14)).toBeLessThan(0.3);
    expect(Math.abs(y - 14)).toBeLessThan(0.3);
    expect(Math.max(...image)).toBe(1);
    expect(Math.min(...image)).toBe(0);
  });

  test("does not depend on where and how large it was drawn", () => {
    const image = renderDigit([seven]);
    const small = renderDigit([moved(seven, 0.4, 0.5, 0.1)]);
    const difference = image.reduce((worst, ink, at) => Math.max(worst, Math.abs(ink - small[at]!)), 0);
    expect(difference).toBeLessThan(1e-3);
  });

  test("keeps its proportions: a one is a thin line of full height", () => {
    const one = renderDigit([
      [
        { x: 0.5, y: 0.1, width: 1 },
        { x: 0.5, y: 0.8, width: 1 },
      ],
    ]);
    const [left, right] = extent(one, "x");
    const [top, bottom] = extent(one, "y");
    expect(right - left + 1).toBeLessThanOrEqual(4);
    expect(bottom - top + 1).toBeGreaterThanOrEqual(19);
  });

  test("a dot stays a dot in the middle", () => {
    const dot = renderDigit([[{ x: 0.9, y: 0.9, width: 1 }]]);
    const [left, right] = extent(dot, "x");
    expect(right - left + 1).toBeLessThanOrEqual(4);
    const [x, y] = centre(dot);
    expect([x, y].map(Math.round)).toEqual([14, 14]);
  });

  test("a pen pressed harder leaves more ink; strokes do not join", () => {
    const ink = (image: Float32Array): number => image.reduce((sum, value) => sum + value, 0);
    const hard = seven.map((point) => ({ ...point, width: 1.3 }));
    expect(ink(renderDigit([hard]))).toBeGreaterThan(ink(renderDigit([seven])) * 1.1);
    const bars: Stroke[] = [0.2, 0.8].map((x) => [
      { x, y: 0.2, width: 1 },
      { x, y: 0.8, width: 1 },
    ]);
    expect(renderDigit(bars)[14 * IMAGE_SIDE + 14]).toBe(0);
  });

  test("lies where its placement says: what is drawn there, is inked there", () => {
    const { image, placement } = placeDigit([moved(seven, 0.5, 0.3, 0.1)]);
    for (const { x, y } of moved(seven, 0.5, 0.3, 0.1)) {
      const column = Math.floor(x * placement.scale + placement.dx);
      const row = Math.floor(y * placement.scale + placement.dy);
      expect(image[row * IMAGE_SIDE + column]).toBeGreaterThan(0.5);
    }
  });

  test("nothing drawn is an empty image", () => {
    expect(renderDigit([]).every((ink) => ink === 0)).toBe(true);
  });
});
