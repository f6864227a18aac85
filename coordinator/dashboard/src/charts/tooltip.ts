import type uPlot from "uplot";

interface TooltipSettings {
  /** Lines of the tooltip for the round at `index`, the first one as its title. */
  readonly lines: (plot: uPlot, index: number) => readonly TooltipLine[];
}

export interface TooltipLine {
  readonly text: string;
  readonly value?: string;
  readonly series?: "held-out" | "training" | "band";
}

const GAP = 14;

/** A box beside the pointer with the figures of its round; on the side where there is room. */
export function tooltipPlugin(settings: TooltipSettings): uPlot.Plugin {
  const box = document.createElement("div");
  box.className = "curve-tooltip";
  box.hidden = true;
  return {
    hooks: {
      init: (plot) => plot.over.append(box),
      setCursor(plot) {
        const { idx, left } = plot.cursor;
        const lines = typeof idx === "number" && (left ?? -1) >= 0 ? settings.lines(plot, idx) : [];
        box.hidden = lines.length === 0;
        if (box.hidden || left === undefined) return;
        box.replaceChildren(...lines.map(lineElement));
        const at = plot.valToPos(plot.data[0][idx ?? 0] ?? 0, "x");
        const fits = at + GAP + box.offsetWidth <= plot.over.clientWidth;
        const x = fits ? at + GAP : Math.max(0, at - GAP - box.offsetWidth);
        box.style.transform = `translate(${Math.round(x)}px, 8px)`;
      },
    },
  };
}

function lineElement(line: TooltipLine): HTMLElement {
  const element = document.createElement("p");
  const name = document.createElement("span");
  name.className = line.series === undefined ? "curve-tooltip-title" : "curve-key";
  if (line.series !== undefined) name.dataset.series = line.series;
  name.textContent = line.text;
  element.append(name);
  if (line.value !== undefined) {
    const value = document.createElement("b");
    value.textContent = line.value;
    element.append(value);
  }
  return element;
}
