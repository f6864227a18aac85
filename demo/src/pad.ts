/** The drawing pad: pointer events in, strokes out. */
import type { Stroke, StrokePoint } from "./strokes.ts";

export interface Pad {
  readonly strokes: readonly Stroke[];
  clear(): void;
  undo(): void;
}

export interface PadOptions {
  readonly canvas: HTMLCanvasElement;
  /** Called after every change; `isDrawing`: a stroke is under way. */
  readonly onChange: (strokes: readonly Stroke[], isDrawing: boolean) => void;
  /** Called when a stroke has ended. */
  readonly onStroke?: () => void;
  /** Called when a digit key is pressed while the pad has the focus. */
  readonly onDigit?: (digit: number) => void;
}

/** Pen width on screen, of the pad's width; the model's image has its own. */
const PEN = 0.055;

/** Points closer than this (of the pad's side) are dropped: they add cost and no shape. */
const SMALLEST_STEP = 0.004;

export function createPad({ canvas, onChange, onStroke, onDigit }: PadOptions): Pad {
  const context = canvas.getContext("2d")!;
  let strokes: StrokePoint[][] = [];
  let pointer: number | undefined;

  const draw = (): void => {
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.lineCap = "round";
    context.lineJoin = "round";
    context.strokeStyle = getComputedStyle(canvas).color;
    for (const stroke of strokes) drawStroke(context, stroke, canvas.width);
  };
  const changed = (): void => {
    draw();
    onChange(strokes, pointer !== undefined);
  };
  const clear = (): void => {
    strokes = [];
    pointer = undefined;
    changed();
  };
  const undo = (): void => {
    strokes = strokes.slice(0, -1);
    changed();
  };
  const addPoint = (event: PointerEvent): void => {
    const box = canvas.getBoundingClientRect();
    const stroke = strokes.at(-1)!;
    const point = {
      x: Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)),
      y: Math.min(box.height / box.width, Math.max(0, (event.clientY - box.top) / box.width)),
      // A mouse reports 0.5, a finger 0 or 1 on some screens; only a pen's pressure means something.
      width: event.pointerType === "pen" ? 0.7 + 0.6 * event.pressure : 1,
    };
    const last = stroke.at(-1);
    if (last !== undefined && Math.hypot(point.x - last.x, point.y - last.y) < SMALLEST_STEP) return;
    stroke.push(point);
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (pointer !== undefined || event.button !== 0) return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    pointer = event.pointerId;
    strokes = [...strokes, []];
    addPoint(event);
    changed();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    // A fast pen reports more points than frames; without them curves get corners.
    const all = event.getCoalescedEvents?.() ?? [];
    for (const part of all.length > 0 ? all : [event]) addPoint(part);
    changed();
  });
  const end = (event: PointerEvent): void => {
    if (event.pointerId !== pointer) return;
    pointer = undefined;
    onStroke?.();
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("keydown", (event) => {
    if (event.key === "Escape" || event.key === "Delete") clear();
    else if (event.key === "Backspace" || (event.key === "z" && (event.ctrlKey || event.metaKey))) undo();
    else if (/^[0-9]$/.test(event.key)) onDigit?.(Number(event.key));
    else return;
    event.preventDefault();
  });

  const fit = (): void => {
    const density = Math.min(3, globalThis.devicePixelRatio || 1);
    const width = Math.round(canvas.clientWidth * density);
    const height = Math.round(canvas.clientHeight * density);
    if (width === 0 || (width === canvas.width && height === canvas.height)) return;
    canvas.width = width;
    canvas.height = height;
    draw();
  };
  new ResizeObserver(fit).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  fit();

  return {
    get strokes() {
      return strokes;
    },
    clear,
    undo,
  };
}

/** Smooth through the midpoints, each piece with the pen's width there. */
function drawStroke(context: CanvasRenderingContext2D, stroke: Stroke, side: number): void {
  const at = (point: StrokePoint): [number, number] => [point.x * side, point.y * side];
  const [first] = stroke;
  if (first === undefined) return;
  let [fromX, fromY] = at(first);
  for (let index = 0; index < stroke.length; index++) {
    const point = stroke[index]!;
    const next = stroke[index + 1] ?? point;
    const [x, y] = at(point);
    const toX = (x + next.x * side) / 2;
    const toY = (y + next.y * side) / 2;
    context.lineWidth = PEN * side * point.width;
    context.beginPath();
    context.moveTo(fromX, fromY);
    context.quadraticCurveTo(x, y, toX, toY);
    context.stroke();
    [fromX, fromY] = [toX, toY];
  }
}
