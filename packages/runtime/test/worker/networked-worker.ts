/** The worker of a page as it is, but for the coordinator, which is the page. */
import "../fixtures/channel-fetch.ts";
import "../../src/worker/device-worker.ts";
