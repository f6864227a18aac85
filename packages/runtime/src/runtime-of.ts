import { failure } from "@tributary/core";
import { consentsOf, isConsent, type Consent } from "./consent.ts";
import type { Device, ExampleDraft } from "./device.ts";
import { eventStream } from "./event-stream.ts";
import { callLimit, checkMaxQueued, MAX_QUEUED } from "./inference/call-limit.ts";
import type { PersonalAnswer } from "./personal/personalisation.ts";
import type {
  LabelledExample,
  ModelHandle,
  ModelState,
  ModelUpdate,
  Participation,
  ParticipationEvent,
  ParticipationState,
  Runtime,
  RuntimeEvent,
} from "./runtime.ts";
import { isImageSource, toImageInput } from "./images/image-input.ts";
import { onlyImage, toRunFeeds } from "./images/split-images.ts";
import type { inferenceStream } from "./inference/stream.ts";
import { isText, type Tokenizers } from "./text/text.ts";
import { own } from "./updater/own.ts";
import { rarerCalls } from "./rarer.ts";

/** The app's view of a device, wherever the device runs: in this thread, or in a worker behind the same methods. */
export function createRuntimeOf(device: Device, tokenizers: Tokenizers = {}): Runtime {
  const ended = new AbortController();
  let closing: Promise<void> | undefined;
  let participating = false;
  let current: Participation | undefined;

  const requireOpen = (): void => {
    if (closing !== undefined) throw failure("runtime/closed", "runtime: it was closed");
  };

  const openHandle = (first: ModelState, maxQueued: number): ModelHandle => {
    const name = first.model;
    const enter = callLimit(`model ${name}`, maxQueued);
    let state = first;
    let handleClosed: Promise<void> | undefined;
    const listening = device.subscribe((event) => {
      if ((event.type === "running" || event.type === "engine-changed") && event.model === name) {
        state = event.state;
      }
      if (event.type === "update-available" && event.model === name) {
        state = { ...state, available: event.version };
      }
    });
    const requireHandle = (): void => {
      requireOpen();
      if (handleClosed !== undefined) throw failure("runtime/closed", `model ${name}: it was closed`);
    };
    /** Texts become tokens here, where the app's tokenizers are. */
    const withTokens = async <Value>(values: Readonly<Record<string, Value>>) =>
      (await rarerCalls.load()).tokenise(state, values, tokenizers);
    const prepare = (
      values: Parameters<ModelHandle["run"]>[0],
      given: boolean,
      copied?: boolean,
    ): ReturnType<typeof toRunFeeds> =>
      Object.values(values).some(isText)
        ? withTokens(values).then((read) => toRunFeeds(state, read, given, copied))
        : toRunFeeds(state, values, given, copied);
    /** Pictures are taken down, and values copied, in the turn of the call; they are checked once the part is there that does it. */
    const draftOf = async (example: LabelledExample): Promise<ExampleDraft> => {
      const taking = Object.entries(example).map(async ([input, value]) => [
        input,
        input !== "label" && isImageSource(value) ? await toImageInput(input, value, false) : own(value),
      ]);
      const taken = Object.fromEntries(await Promise.all(taking)) as LabelledExample;
      const { label, ...values } = taken;
      const isWorded = Object.values(values).some(isText);
      const { toExample } = await rarerCalls.load();
      return toExample(state, isWorded ? { ...(await withTokens(values)), label } : taken);
    };
    const ofPersonal = async (kind: "report" | "export" | "clear"): Promise<PersonalAnswer> => {
      requireHandle();
      return await device.personal(name, { kind });
    };
    const handle: ModelHandle = {
      name,
      get state() {
        return state;
      },
      get version() {
        return state.version;
      },
      async run(feeds, { signal, transfer = false, personal = true } = {}) {
        requireHandle();
        const leave = enter();
        try {
          const prepared = prepare(feeds, transfer, device.copiesFeeds);
          const ready = prepared instanceof Promise ? await prepared : prepared;
          return await device.run(name, ready, {
            transfer,
            personal,
            ...(signal === undefined ? {} : { signal }),
          });
        } finally {
          leave();
        }
      },
      async explain(feeds, { signal, ...request } = {}) {
        requireHandle();
        const leave = enter();
        try {
          const prepared = await prepare(feeds, false);
          return await device.explain(name, prepared, request, signal === undefined ? {} : { signal });
        } finally {
          leave();
        }
      },
      async feedback({ version, classes }, label) {
        requireHandle();
        await device.feedback(name, { version, classes }, label);
      },
      stream(source, streamOptions) {
        requireHandle();
        return streamOf(
          source,
          (value, signal) => handle.run(isImageSource(value) ? onlyImage(state, value) : value, { signal }),
          streamOptions,
        );
      },
      examples: {
        async add(example) {
          requireHandle();
          await device.addExamples(name, [await draftOf(example)]);
        },
        async addAll(examples) {
          requireHandle();
          await device.addExamples(name, await Promise.all(examples.map(draftOf)));
        },
        async count() {
          requireHandle();
          return await device.countExamples(name);
        },
        async list() {
          requireHandle();
          const kept = await device.listExamples(name);
          const { toKept } = await rarerCalls.load();
          return kept.map((example) => toKept(state, example));
        },
        async export() {
          requireHandle();
          return await device.exportExamples(name);
        },
        async clear() {
          requireHandle();
          await device.clearExamples(name);
        },
      },
      async personalise(options = {}) {
        requireHandle();
        return (await rarerCalls.load()).personalise(device, handle, options);
      },
      personal: {
        report: async () => (await ofPersonal("report")).report,
        export: async () => (await ofPersonal("export")).file,
        clear: async () => void (await ofPersonal("clear")),
      },
      updates({ signal } = {}) {
        return eventStream<ModelUpdate>({
          ended: ended.signal,
          signal,
          subscribe(listener) {
            const { version: previousVersion, available } = state;
            if (available !== undefined) listener(waitingUpdate(device, name, available, previousVersion));
            return device.subscribe((event) => {
              const update = updateOf(device, name, event);
              if (update !== undefined) listener(update);
            });
          },
        });
      },
      async refresh({ signal } = {}) {
        requireHandle();
        state = await device.refresh(name, signal === undefined ? {} : { signal });
        return state;
      },
      close() {
        handleClosed ??= (async () => {
          listening();
          if (closing === undefined) await device.closeModel(name);
        })();
        return handleClosed;
      },
    };
    return handle;
  };

  const openParticipation = (given: Consent): Participation => {
    let consents = consentsOf(given);
    let state: ParticipationState = "waiting";
    let stopped: Promise<void> | undefined;
    const over = new AbortController();
    const unsubscribe = device.subscribe((event) => {
      if (event.type === "participation" && event.event.type === "state") state = event.event.state;
      if (event.type === "forgotten") end();
    });
    const end = (): void => {
      unsubscribe();
      state = "stopped";
      participating = false;
      over.abort();
    };
    ended.signal.addEventListener("abort", end, { once: true });
    return {
      get state() {
        return state;
      },
      events({ signal } = {}) {
        return eventStream<ParticipationEvent>({
          ended: over.signal,
          signal,
          subscribe: (listener) =>
            device.subscribe((event) => {
              if (event.type === "participation") listener(event.event);
            }),
        });
      },
      async consent(change) {
        if (over.signal.aborted) throw failure("federation/cancelled", "participate: it was stopped");
        const { training = consents.training, telemetry = consents.telemetry } = change;
        consents = { training, telemetry };
        await device.setConsent(consents);
      },
      stop() {
        stopped ??= (async () => {
          if (over.signal.aborted) return;
          try {
            await device.stopParticipating();
          } finally {
            ended.signal.removeEventListener("abort", end);
            end();
          }
        })();
        return stopped;
      },
    };
  };

  return {
    async model(name, options = {}) {
      requireOpen();
      const {
        channel = "stable",
        update = "auto",
        maxQueued = MAX_QUEUED,
        variant,
        examples,
        onProgress,
        signal,
      } = options;
      checkMaxQueued(maxQueued);
      const { batching: asked } = options;
      const batching = asked && (await rarerCalls.load()).checkedBatching(asked);
      signal?.throwIfAborted();
      const stopProgress =
        onProgress === undefined
          ? undefined
          : device.subscribe((event) => {
              if (event.type !== "progress" || (event.part === "model" && event.model !== name)) return;
              const { type: _, at: _at, ...progress } = event;
              onProgress(progress);
            });
      try {
        const state = await device.openModel(
          {
            model: name,
            channel,
            update,
            ...(variant === undefined ? {} : { variant }),
            ...(batching === undefined ? {} : { batching }),
            ...(examples === undefined ? {} : { examples }),
          },
          signal === undefined ? {} : { signal },
        );
        return openHandle(state, maxQueued);
      } finally {
        stopProgress?.();
      }
    },
    chain: (steps) => ({
      async run(feeds, options = {}) {
        requireOpen();
        const [first] = steps;
        if (first === undefined) throw new RangeError("chain: no model");
        const links = steps.map(({ model, from }) => ({ model: model.name, from }));
        return await device.runChain(links, await toRunFeeds(first.model.state, feeds, false), options);
      },
    }),
    participate({ consent, task, when = "always", ...more }) {
      requireOpen();
      if (!isConsent(consent)) {
        throw failure(
          "federation/no-consent",
          "participate: consent must be true, or to training or telemetry; ask the person first",
        );
      }
      if (participating) {
        throw failure("federation/busy", "participate: this runtime takes part already; stop that first");
      }
      participating = true;
      const participation = openParticipation(consent);
      current = participation;
      const request = { ...more, consent, when, ...(task === undefined ? {} : { task }) };
      device.participate(request).catch(() => {
        // The device says why in a "problem" event.
        participation.stop().catch(() => undefined);
      });
      return participation;
    },
    status: () => device.status(),
    async forget(options = {}) {
      await current?.stop();
      return await device.forget(options);
    },
    diagnose: () => device.diagnose(),
    metrics: () => device.metrics(),
    events({ signal } = {}) {
      return eventStream<RuntimeEvent>({
        ended: ended.signal,
        signal,
        subscribe: (listener) => device.subscribe(listener),
      });
    },
    close() {
      closing ??= device.close().finally(() => ended.abort());
      return closing;
    },
    [Symbol.asyncDispose]() {
      return this.close();
    },
  };
}

function updateOf(device: Device, name: string, event: RuntimeEvent): ModelUpdate | undefined {
  if (event.type === "update-available" && event.model === name) {
    return waitingUpdate(device, name, event.version, event.previousVersion);
  }
  if (event.type === "running" && event.model === name && event.previousVersion !== null) {
    const { model, version, previousVersion, state } = event;
    return { model, version, previousVersion, applied: true, apply: async () => state };
  }
  return undefined;
}

function waitingUpdate(device: Device, model: string, version: number, previousVersion: number): ModelUpdate {
  return { model, version, previousVersion, applied: false, apply: () => device.applyUpdate(model) };
}

async function* streamOf<T>(
  ...asked: Parameters<typeof inferenceStream<T>>
): ReturnType<typeof inferenceStream<T>> {
  yield* (await rarerCalls.load()).inferenceStream(...asked);
}
