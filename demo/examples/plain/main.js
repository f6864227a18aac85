import { createRuntime } from "./tributary/browser.js";

const picture = document.querySelector("#picture");
const answers = document.querySelector("#answers");
const where = document.querySelector("#where");

// Beside this page lies what `tributary bundle` wrote: models with their signatures, and the root that they are checked against.
const models = new URL("models/", document.baseURI);
const runtime = await createRuntime({ models, trust: { root: new URL("root.json", models) } });
const model = await runtime.model("digits", {
  onProgress: ({ receivedBytes, totalBytes }) => {
    where.textContent = `Loading the model: ${Math.round((100 * receivedBytes) / totalBytes)} %`;
  },
});
where.textContent = `Version ${model.version}, on ${model.state.engine}.`;

async function classify() {
  const [image] = picture.files;
  if (image === undefined) return;
  try {
    const { top, durationMs } = await model.run({ image });
    answers.replaceChildren(
      ...top[0].map(({ label, probability }) => {
        const answer = document.createElement("li");
        answer.textContent = `${label}: ${(100 * probability).toFixed(1)} %`;
        return answer;
      }),
    );
    where.textContent = `Version ${model.version}, on ${model.state.engine}, in ${durationMs.toFixed(1)} ms.`;
  } catch (error) {
    where.textContent = String(error);
  }
}

picture.addEventListener("change", () => void classify());
