import type { Consents } from "../consent.ts";
import type { Runtime } from "../runtime.ts";
import { consentControl, type ConsentControl, type ConsentOptions } from "./control.ts";
import { consentSheet } from "./style.ts";
import { CONSENT_TEXTS, statusWords, type ConsentTexts } from "./words.ts";

export const CONSENT_ELEMENT = "tributary-consent";

/**
 * `<tributary-consent>`: says in plain words what is learnt and what is sent, asks, and takes part as the person answers. With
 * the attribute `telemetry` it asks for that too. Fires `change` when the person decided. Styled by its parts (`card`, `title`,
 * `switch`, `details`, `status`) and by `--tributary-accent`; needs no inline styles.
 */
export interface ConsentElement extends HTMLElement {
  /** Keeps to the person's consents in this runtime, from now on; also after the element is gone. */
  follow(runtime: Runtime, options?: ConsentOptions): ConsentControl;
  /** As the switches stand; none before `follow`. */
  readonly consents: Consents;
  /** In the app's own words. @defaultValue CONSENT_TEXTS */
  texts: Partial<ConsentTexts>;
}

declare global {
  interface HTMLElementTagNameMap {
    "tributary-consent": ConsentElement;
  }
}

const KINDS = ["training", "telemetry"] as const;
type Kind = (typeof KINDS)[number];

/** Registers the element. Idempotent; does nothing where there are no custom elements, such as on a server. */
export function defineConsentElement(): void {
  const registry = globalThis.customElements as CustomElementRegistry | undefined;
  if (registry === undefined || registry.get(CONSENT_ELEMENT) !== undefined) return;
  registry.define(CONSENT_ELEMENT, elementClass());
}

function elementClass(): CustomElementConstructor {
  return class extends HTMLElement implements ConsentElement {
    static readonly observedAttributes = ["telemetry"];
    readonly #root: ShadowRoot;
    #texts: Partial<ConsentTexts> = {};
    #control: ConsentControl | undefined;
    #unsubscribe: (() => void) | undefined;

    constructor() {
      super();
      this.#root = this.attachShadow({ mode: "open" });
      this.#root.adoptedStyleSheets = [consentSheet()];
    }

    follow(runtime: Runtime, options?: ConsentOptions): ConsentControl {
      this.#control = consentControl(runtime, options);
      this.#watch();
      return this.#control;
    }

    get consents(): Consents {
      return this.#control?.consents ?? { training: false, telemetry: false };
    }

    get texts(): Partial<ConsentTexts> {
      return this.#texts;
    }
    set texts(texts: Partial<ConsentTexts>) {
      this.#texts = texts;
      this.#build();
    }

    connectedCallback(): void {
      this.#build();
      this.#watch();
    }
    disconnectedCallback(): void {
      this.#unsubscribe?.();
      this.#unsubscribe = undefined;
    }
    attributeChangedCallback(): void {
      this.#build();
    }

    #watch(): void {
      this.#unsubscribe?.();
      this.#unsubscribe = this.isConnected ? this.#control?.subscribe(() => this.#show()) : undefined;
      this.#show();
    }

    #build(): void {
      if (!this.isConnected) return;
      const texts = { ...CONSENT_TEXTS, ...this.#texts };
      const kinds = KINDS.filter((kind) => kind === "training" || this.hasAttribute("telemetry"));
      const details = make("details", { part: "details" }, [
        make("summary", {}, texts.detailsTitle),
        make(
          "dl",
          {},
          texts.details.flatMap(([heading, words]) => [make("dt", {}, heading), make("dd", {}, words)]),
        ),
      ]);
      this.#root.replaceChildren(
        make("section", { part: "card", "aria-labelledby": "title" }, [
          make("h2", { part: "title", id: "title" }, texts.title),
          ...kinds.map((kind) => this.#question(kind, texts[`${kind}Title`], texts[kind])),
          details,
          make("p", { part: "status", role: "status" }),
        ]),
      );
      this.#show();
    }

    #question(kind: Kind, title: string, words: string): HTMLElement {
      const toggle = make("button", {
        part: "switch",
        type: "button",
        role: "switch",
        "data-kind": kind,
        "aria-labelledby": `${kind}-title`,
        "aria-describedby": `${kind}-words`,
      });
      toggle.append(make("span", {}));
      toggle.addEventListener("click", () => {
        this.#control?.change({ [kind]: !this.consents[kind] });
        this.dispatchEvent(new Event("change", { bubbles: true }));
      });
      return make("div", { class: "question" }, [
        make("h3", { id: `${kind}-title` }, title),
        toggle,
        make("p", { id: `${kind}-words` }, words),
      ]);
    }

    #show(): void {
      for (const toggle of this.#root.querySelectorAll<HTMLButtonElement>("[data-kind]")) {
        toggle.disabled = this.#control === undefined;
        toggle.setAttribute("aria-checked", String(this.consents[toggle.dataset["kind"] as Kind]));
      }
      const status = this.#root.querySelector<HTMLElement>("[part=status]");
      if (status === null || this.#control === undefined) return;
      const words = statusWords(this.#control.status);
      status.dataset["state"] = this.#control.status.state;
      // The same text again would be read out again.
      if (status.textContent !== words) status.textContent = words;
    }
  };
}

function make(
  name: string,
  attributes: Readonly<Record<string, string>>,
  content: string | readonly HTMLElement[] = [],
): HTMLElement {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (typeof content === "string") element.textContent = content;
  else element.append(...content);
  return element;
}
