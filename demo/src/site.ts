/** What the server of this page says about the coordinator; read at start, so that the built page fits any. */

export interface Site {
  /** Origin of the coordinator. */
  readonly coordinator: string;
  readonly model: string;
  readonly task: string;
  readonly population: string;
  /** Fewest members of a sum that this app lets an update enter. Below 16 it is a trial, and not private. */
  readonly minimumCohort: number;
}

/** What the runtime insists on where nobody says otherwise. */
const DEFAULT_MINIMUM_COHORT = 16;

/** Reads `tributary.json` beside the page. @throws Error that says what is wrong with it. */
export async function loadSite(): Promise<Site> {
  const url = new URL("tributary.json", document.baseURI);
  const response = await fetch(url, { cache: "no-store" });
  if (!response.ok) throw new Error(`${url.pathname} answered ${response.status}`);
  const site = (await response.json()) as Partial<Record<keyof Site, unknown>>;
  const number = (key: keyof Site, fallback: number): number => {
    const value = site[key] ?? fallback;
    if (Number.isSafeInteger(value)) return value as number;
    throw new Error(`${url.pathname}: "${key}" must be a whole number, got ${JSON.stringify(value)}`);
  };
  const text = (key: keyof Site, fallback?: string): string => {
    const value = site[key] ?? fallback;
    if (typeof value !== "string" || value === "") {
      throw new Error(`${url.pathname}: "${key}" must be a text, got ${JSON.stringify(site[key])}`);
    }
    return value;
  };
  return {
    coordinator: text("coordinator"),
    model: text("model"),
    task: text("task"),
    population: text("population", "default"),
    minimumCohort: number("minimumCohort", DEFAULT_MINIMUM_COHORT),
  };
}

/** A fresh enrolment token from this page's own server. */
export async function fetchToken(): Promise<string> {
  const response = await fetch(new URL("fl-token", document.baseURI), { cache: "no-store" });
  if (!response.ok) throw new Error(`fl-token answered ${response.status}`);
  return (await response.text()).trim();
}

/** The root of trust that this page was served with. */
export const ROOT_URL = new URL("root.json", document.baseURI);
