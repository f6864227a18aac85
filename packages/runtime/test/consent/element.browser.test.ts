import { afterEach, expect, test, vi } from "vitest";
import { CONSENT_ELEMENT, defineConsentElement } from "../../src/consent/index.ts";
import type { ConsentElement } from "../../src/consent/index.ts";
import { eventStream } from "../../src/event-stream.ts";
import type { Participation, Runtime } from "../../src/runtime.ts";

defineConsentElement();
defineConsentElement();

afterEach(() => {
  document.body.replaceChildren();
  localStorage.clear();
});

/** What the element asks of a runtime; rounds are shown in the control's tests and with real coordinators elsewhere. */
function runtimeThatTakesPart(): { readonly runtime: Runtime; readonly consents: unknown[] } {
  const consents: unknown[] = [];
  const never = (): AsyncIterableIterator<never> =>
    eventStream<never>({ subscribe: () => () => undefined, ended: new AbortController().signal });
  const runtime = {
    events: never,
    participate({ consent }: { consent: unknown }) {
      consents.push(consent);
      return {
        events: never,
        consent: async (change: unknown) => void consents.push(change),
        stop: async () => void consents.push("stop"),
      } as unknown as Participation;
    },
  } as unknown as Runtime;
  return { runtime, consents };
}

function placed(): ConsentElement {
  const element = document.createElement(CONSENT_ELEMENT) as ConsentElement;
  document.body.append(element);
  return element;
}
const switches = (element: ConsentElement): HTMLButtonElement[] => [
  ...element.shadowRoot!.querySelectorAll<HTMLButtonElement>("[role=switch]"),
];

test("asks, takes part as the person answers, and says so", async () => {
  const element = placed();
  const text = (): string => element.shadowRoot!.textContent ?? "";
  expect(text()).toContain("only the difference the training made is sent");
  expect(text()).toContain("What stays here, and what is sent?");
  const [training, ...others] = switches(element);
  expect(others).toEqual([]);
  // Until a runtime is there, there is nothing to agree to.
  expect(training!.disabled).toBe(true);

  const { runtime, consents } = runtimeThatTakesPart();
  element.follow(runtime);
  expect(training!.disabled).toBe(false);
  expect(training!.getAttribute("aria-checked")).toBe("false");
  const decided = vi.fn();
  document.body.addEventListener("change", decided, { once: true });
  training!.click();
  expect(decided).toHaveBeenCalledOnce();
  expect(training!.getAttribute("aria-checked")).toBe("true");
  expect(element.consents).toEqual({ training: true, telemetry: false });
  expect(text()).toContain("Waiting for the next round.");

  element.setAttribute("telemetry", "");
  switches(element)[1]!.click();
  expect(consents).toEqual([
    { training: true, telemetry: false },
    { training: true, telemetry: true },
  ]);

  // Another element, or this one after it was gone, shows the same; what was agreed to goes on meanwhile.
  element.remove();
  const second = placed();
  second.follow(runtime);
  expect(switches(second)[0]!.getAttribute("aria-checked")).toBe("true");
  switches(second)[0]!.click();
  document.body.append(element);
  expect(switches(element).map((each) => each.getAttribute("aria-checked"))).toEqual(["false", "true"]);
});

test("another tab's answer holds here, and what was cleared there is no consent any more", () => {
  const element = placed();
  const { runtime, consents } = runtimeThatTakesPart();
  element.follow(runtime);
  const tell = (key: string | null, newValue: string | null): void =>
    void dispatchEvent(new StorageEvent("storage", { key, newValue }));
  tell("elsewhere", '{"training":true}');
  expect(element.consents.training).toBe(false);
  tell("tributary-consent", '{"training":true}');
  expect(switches(element)[0]!.getAttribute("aria-checked")).toBe("true");
  tell(null, null);
  expect(element.consents).toEqual({ training: false, telemetry: false });
  expect(consents).toEqual([{ training: true, telemetry: false }, "stop"]);
});

test("speaks the app's own words, and names its switches for those who do not see them", () => {
  const element = placed();
  element.texts = { title: "Besser werden", trainingTitle: "Hier lernen" };
  const root = element.shadowRoot!;
  expect(root.querySelector("h2")!.textContent).toBe("Besser werden");
  const [training] = switches(element);
  const named = (attribute: string): string =>
    root.getElementById(training!.getAttribute(attribute)!)!.textContent!;
  expect(named("aria-labelledby")).toBe("Hier lernen");
  expect(named("aria-describedby")).toMatch(/^When on, the model is trained here/);
  expect(root.querySelector("[part=status]")!.getAttribute("role")).toBe("status");
  // No inline styles: a strict policy lets it pass.
  expect(root.querySelector("style, [style]")).toBeNull();
  expect(getComputedStyle(training!).width).toBe("52px");
});
