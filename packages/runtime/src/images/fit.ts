import type { ImageProcessing } from "@tributary/protocol";

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Rectangle extends Size {
  readonly x: number;
  readonly y: number;
}

/** Which part of an image is seen, and where in the input it stands. */
export interface Placement {
  readonly from: Rectangle;
  readonly to: Rectangle;
}

export function place(source: Size, target: Size, fit: ImageProcessing["fit"]): Placement {
  const whole = { x: 0, y: 0, ...pick(source) };
  const all = { x: 0, y: 0, ...pick(target) };
  switch (fit) {
    case "stretch":
      return { from: whole, to: all };
    case "cover": {
      const scale = Math.max(target.width / source.width, target.height / source.height);
      return { from: middle(source, target.width / scale, target.height / scale), to: all };
    }
    case "contain": {
      const scale = Math.min(target.width / source.width, target.height / source.height);
      const width = Math.max(1, Math.round(source.width * scale));
      const height = Math.max(1, Math.round(source.height * scale));
      const to = middle(target, width, height);
      return { from: whole, to: { ...to, x: Math.floor(to.x), y: Math.floor(to.y) } };
    }
  }
}

function pick({ width, height }: Size): Size {
  return { width, height };
}

function middle(of: Size, width: number, height: number): Rectangle {
  return { x: (of.width - width) / 2, y: (of.height - height) / 2, width, height };
}
