/** The dedicated worker of a page whose app has models of TensorFlow.js, which is fetched with the first of them. */
import { serveDevice } from "./serve-device.ts";
import { createTfjsEngines } from "./tfjs-engines.ts";

serveDevice((options) => createTfjsEngines({ ...options, load: () => import("@tributary/engine/tfjs") }));
