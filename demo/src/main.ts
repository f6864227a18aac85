/** The digits pad: draw, read, correct, learn, take part. */
import { adviceOf, publicMessageOf, TributaryError } from "@tributary/runtime/errors";
import type { ModelHandle, ModelState, Runtime } from "@tributary/runtime";
import { createRuntime } from "@tributary/runtime/browser";
import { byId, setText } from "./elements.ts";
import { createExamplesPanel } from "./examples-panel.ts";
import { createForgetPanel } from "./forget-panel.ts";
import { workOffline } from "./offline/offline.ts";
import { createPadPanel, type PadPanel } from "./pad-panel.ts";
import { createParticipationPanel } from "./participation-panel.ts";
import { createPersonalPanel } from "./personal-panel.ts";
import { plain } from "./plain.ts";
import { fetchToken, loadSite, ROOT_URL } from "./site.ts";
import type { Site } from "./site.ts";
import { toast } from "./toast.ts";

const offline = workOffline((reload) => {
  byId("new-version").hidden = false;
  byId("reload").addEventListener("click", reload, { once: true });
});

/** The first visit needs the coordinator; until it answers the page asks again, less and less often. */
const RETRY_MS = [1000, 2000, 4000, 8000, 15_000] as const;

async function start(): Promise<void> {
  const pad = createPadPanel(showBanner);
  for (let attempt = 0; ; attempt++) {
    try {
      const site = await loadSite();
      const runtime = await createRuntime({
        coordinator: site.coordinator,
        population: site.population,
        trust: { root: ROOT_URL, minimumCohort: site.minimumCohort },
        token: fetchToken,
        software: "tributary-demo",
      });
      try {
        const model = await runtime.model(site.model);
        showBanner(undefined);
        run(site, runtime, model, pad);
        return;
      } catch (error) {
        await runtime.close();
        throw error;
      }
    } catch (error) {
      if (TributaryError.is(error) && !error.retryable && error.code === "runtime/insecure-context") {
        showBanner(`${publicMessageOf(error)} ${adviceOf(error) ?? ""}`);
        return;
      }
      const waitMs = RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]!;
      showBanner(`The model is not here yet: ${plain(error)} Asking again in ${waitMs / 1000} s.`);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}

function run(site: Site, runtime: Runtime, model: ModelHandle, pad: PadPanel): void {
  const participation = createParticipationPanel({ runtime, task: site.task });
  const examples = createExamplesPanel({
    examples: model.examples,
    onChange(count) {
      participation.setExamples(count);
      personal.setExamples(count);
    },
  });
  const personal = createPersonalPanel({ runtime, model, onChange: () => pad.readAgain() });
  createForgetPanel(runtime, () => examples.changed());
  pad.attach(model, () => examples.changed());
  const source = `The model and its new versions come from ${site.coordinator}, signed, and are checked here.`;
  setText(byId("source"), source);
  const keepEngine = async (): Promise<void> => {
    const { engines } = await runtime.diagnose();
    const isKept = await offline.keep(engines.files ?? []);
    if (isKept) setText(byId("source"), `${source} Page and model are kept here, and work without network.`);
  };
  void keepEngine();

  showState(model.state);
  const follow = async (): Promise<void> => {
    for await (const event of runtime.events()) {
      participation.onRuntimeEvent(event);
      personal.onRuntimeEvent(event);
      if (event.type === "engine-changed" && event.model === model.name) showState(event.state);
      if (event.type === "engine-changed") void keepEngine();
      if (event.type !== "running" || event.model !== model.name) continue;
      showState(event.state);
      if (event.previousVersion !== null && event.previousVersion !== event.version) {
        toast(`Version ${event.version} arrived, in use.`);
      }
      pad.readAgain();
    }
  };
  void follow();
}

function showState(state: ModelState): void {
  setText(byId("version"), String(state.version));
  const name = state.engine === "ort-webgpu" ? "WebGPU" : "WASM";
  setText(byId("engine"), name);
  setText(byId("engine-why"), state.note === undefined ? "" : `Runs on ${name} in this page: ${state.note}.`);
}

function showBanner(words: string | undefined): void {
  const banner = byId("banner");
  banner.hidden = words === undefined;
  if (words !== undefined) setText(banner, words);
}

void start();
