// Preloaded into a process whose clock a test sets: every `Date` is ahead by the milliseconds in a file. Timers and
// `performance.now` are left alone, as they are when somebody sets a machine's clock.
import { readFileSync } from "node:fs";

const RealDate = Date;
const now = () => RealDate.now() + Number(readFileSync(process.env.TRIBUTARY_TEST_CLOCK, "utf8"));

globalThis.Date = new Proxy(RealDate, {
  construct: (target, given, newTarget) =>
    Reflect.construct(
      target,
      given.length === 0 ? [now()] : given,
      newTarget === globalThis.Date ? target : newTarget,
    ),
  apply: () => new RealDate(now()).toString(),
  get: (target, key) => (key === "now" ? now : Reflect.get(target, key)),
});
