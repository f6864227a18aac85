/** Ten bars that follow the stroke. */
import { byId, setText } from "./elements.ts";

export interface Bars {
  show(probabilities: ArrayLike<number>): void;
  clear(): void;
  /** Something is drawn, and the model may still be on its way. */
  waiting(forModel: boolean): void;
  /** Tells screen readers, once a stroke has ended. */
  speak(): void;
}

export function createBars(): Bars {
  const list = byId("bars");
  const digit = byId("prediction");
  const sure = byId("confidence");
  const spoken = byId("prediction-spoken");
  let words = "";
  const rows = Array.from({ length: 10 }, (_, label) => {
    const row = document.createElement("li");
    const name = document.createElement("span");
    name.textContent = String(label);
    const track = document.createElement("span");
    track.className = "track";
    const fill = document.createElement("span");
    fill.className = "fill";
    track.append(fill);
    const value = document.createElement("span");
    value.className = "value";
    row.append(name, track, value);
    list.append(row);
    return { row, fill, value };
  });

  return {
    show(probabilities) {
      let best = 0;
      for (let label = 1; label < rows.length; label++) {
        if (probabilities[label]! > probabilities[best]!) best = label;
      }
      for (const [label, { row, fill, value }] of rows.entries()) {
        const probability = probabilities[label]!;
        fill.style.setProperty("--p", probability.toFixed(4));
        setText(value, percent(probability));
        row.classList.toggle("top-one", label === best);
      }
      setText(digit, String(best));
      setText(sure, percent(probabilities[best]!));
      words = `The model reads ${best}, ${percent(probabilities[best]!)} sure.`;
    },
    clear() {
      for (const { row, fill, value } of rows) {
        fill.style.setProperty("--p", "0");
        setText(value, "");
        row.classList.remove("top-one");
      }
      setText(digit, "–");
      setText(sure, "");
      words = "";
      setText(spoken, "");
    },
    waiting(forModel) {
      if (forModel) setText(sure, "Loading the model");
    },
    speak: () => setText(spoken, words),
  };
}

function percent(probability: number): string {
  // 99.97 % is not certain.
  return `${probability >= 0.995 && probability < 0.9999 ? 99 : Math.round(100 * probability)} %`;
}
