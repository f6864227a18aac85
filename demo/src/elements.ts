/** The element with this test id; the page has each exactly once. */
export function byId<T extends Element = HTMLElement>(testId: string): T {
  const element = document.querySelector<T>(`[data-testid="${testId}"]`);
  if (element === null) throw new Error(`the page has no element "${testId}"`);
  return element;
}

/** Sets text only when it changed, so that screen readers hear nothing twice. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Paints 784 values in [0, 1] on a 28x28 canvas, white ink on black, as the model gets them. */
export function paintDigit(canvas: HTMLCanvasElement, image: ArrayLike<number>): void {
  const context = canvas.getContext("2d")!;
  const pixels = context.createImageData(28, 28);
  for (let at = 0; at < 784; at++) {
    const ink = image[at] ?? 0;
    pixels.data[4 * at] = 12 + 222 * ink;
    pixels.data[4 * at + 1] = 18 + 232 * ink;
    pixels.data[4 * at + 2] = 19 + 227 * ink;
    pixels.data[4 * at + 3] = 255;
  }
  context.putImageData(pixels, 0, 0);
}
