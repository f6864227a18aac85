/** The dedicated worker of a page. */
import { serveDevice } from "./serve-device.ts";

serveDevice();
