import { parseSetCookie } from "cookie";

let jars = 0;

/** A browser without pages: it keeps the cookies of each origin, and goes where it is sent. */
export class CookieJar {
  readonly #cookies = new Map<string, Map<string, string>>();
  /** `Set-Cookie` as it came, newest last. */
  readonly set: string[] = [];

  /** As a proxy says it: who fails often is slowed down by it. */
  readonly address = `198.51.100.${++jars % 256}`;

  get(url: string | URL, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return this.send(url, { headers });
  }

  /** One request, with the cookies of its origin. */
  async send(
    url: string | URL,
    init: Omit<RequestInit, "headers"> & { readonly headers?: Readonly<Record<string, string>> },
  ): Promise<Response> {
    const { origin } = new URL(url);
    const known = this.#cookies.get(origin) ?? new Map<string, string>();
    this.#cookies.set(origin, known);
    const cookie = [...known].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await fetch(url, {
      redirect: "manual",
      ...init,
      headers: {
        accept: "application/json",
        "x-forwarded-for": this.address,
        ...(cookie === "" ? {} : { cookie }),
        ...init.headers,
      },
    });
    for (const line of answer.headers.getSetCookie()) {
      this.set.push(line);
      const { name, value = "", maxAge, expires } = parseSetCookie(line);
      const isOver = maxAge === 0 || (expires !== undefined && expires.getTime() <= Date.now());
      if (isOver) known.delete(name);
      else known.set(name, value);
    }
    return answer;
  }

  /** Follows from one address to the next until one of them begins with `until`, which is not asked any more. */
  async follow(url: string | URL, until: string): Promise<URL> {
    let at = new URL(url);
    for (let step = 0; step < 20; step++) {
      if (step > 0 && at.href.startsWith(until)) return at;
      const answer = await this.get(at);
      const to = answer.headers.get("location");
      if (to === null) throw new Error(`${at.href} leads nowhere: ${answer.status} ${await answer.text()}`);
      at = new URL(to, at);
    }
    throw new Error(`${url.toString()} leads in circles`);
  }

  of(url: string): Map<string, string> {
    return this.#cookies.get(new URL(url).origin) ?? new Map<string, string>();
  }
}
