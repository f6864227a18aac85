import { IMAGE_SIDE, type Placement } from "./strokes.ts";

/** Attributions below this share of the largest are noise to the eye. */
const FAINTEST = 0.04;

/**
 * Paints what speaks for an answer and what speaks against it, over the drawing on the pad, in the canvas's colours `--for` and
 * `--against`.
 *
 * @param values - of the model's image, row by row
 */
export function paintHeat(canvas: HTMLCanvasElement, values: Float32Array, placement: Placement): void {
  const density = Math.min(3, globalThis.devicePixelRatio || 1);
  canvas.width = Math.round(canvas.clientWidth * density);
  canvas.height = Math.round(canvas.clientHeight * density);
  const context = canvas.getContext("2d")!;
  context.clearRect(0, 0, canvas.width, canvas.height);
  const { scale, dx, dy } = placement;
  const unit = canvas.width / scale;
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(heatPixels(canvas, values), -dx * unit, -dy * unit, IMAGE_SIDE * unit, IMAGE_SIDE * unit);
}

/** One pixel a value. */
function heatPixels(canvas: HTMLCanvasElement, values: Float32Array): HTMLCanvasElement {
  const small = document.createElement("canvas");
  small.width = small.height = IMAGE_SIDE;
  const context = small.getContext("2d")!;
  const style = getComputedStyle(canvas);
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9);
  for (const [at, value] of values.entries()) {
    const share = Math.abs(value) / largest;
    if (share < FAINTEST) continue;
    context.globalAlpha = Math.min(1, 0.15 + Math.sqrt(share));
    context.fillStyle = style.getPropertyValue(value > 0 ? "--for" : "--against");
    context.fillRect(at % IMAGE_SIDE, Math.floor(at / IMAGE_SIDE), 1, 1);
  }
  return small;
}
