/** The dedicated worker of a page whose app has models of TensorFlow.js: fetched with the first of them. */
import { serveDevice } from "./serve-device.ts";

serveDevice(() => import("@tributary/engine/tfjs"));
