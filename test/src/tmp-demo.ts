import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApiClient } from "@tributary/api-client";
import { createStack, MODEL } from "@tributary/cli";
import { buildDigitsCnn } from "@tributary/onnx";
import { launchChromium, openDemo, recordPages, SEVEN, ONE, teach } from "./demo-page.ts";
const dataDir = await mkdtemp(join(tmpdir(), "tributary-demo-"));
const stack = await createStack({ host: "127.0.0.1", port: 0, demoPort: 0, dataDir: join(dataDir, "c"), minimumCohort: () => 3 });
const api = createApiClient({ baseUrl: stack.coordinator.url, token: stack.coordinator.operatorToken });
await api.publishModel(MODEL, buildDigitsCnn({ seed: "digits" }));
await stack.buildSites();
console.log("built", new Date().toISOString());
const browser = await launchChromium();
const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
const record = recordPages(context);
const page = await openDemo(context, stack.demoUrl);
const shot = async (name: string) => {
  for (const [size, width, height] of [["desktop", 1280, 1000], ["phone", 390, 844]] as const)
    for (const scheme of ["light", "dark"] as const) {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme: scheme });
      await page.getByTestId("hand-text").scrollIntoViewIfNeeded();
      await page.waitForTimeout(300);
      await page.screenshot({ path: `/tmp/run/learner-${name}-${size}-${scheme}.png`, fullPage: false });
    }
  await page.setViewportSize({ width: 1280, height: 900 });
};
await shot("empty");
const moved = (stroke: any, by: number) => stroke.map(([x, y]: any) => [x + by * (0.5 - y), y]);
for (const by of [-0.3, -0.1, 0.1, 0.3]) {
  await teach(page, moved(SEVEN, by), 7, 1);
  await teach(page, moved(ONE, by), 1, 1);
}
console.log("taught", new Date().toISOString());
const from = record.requests.length;
await page.getByTestId("learn-hand").click();
for (let i = 0; i < 60; i++) {
  await page.waitForTimeout(500);
  const t = await page.getByTestId("hand-text").textContent();
  console.log(t, await page.getByTestId("hand-progress").evaluate((e: any) => `${e.value}/${e.max} ${e.hidden}`));
  if (i === 1) await shot("learning");
  if (!t!.startsWith("Learning")) break;
}
console.log(record.requests.slice(from).map((r) => `${r.method} ${r.url}`).join("\n"));
await shot("learnt");
console.log(record.complaints);
await browser.close();
await stack.close();
process.exit(0);
