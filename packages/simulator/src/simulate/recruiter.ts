import type { RoundConfig } from "@tributary/federation";
import type { ClientData } from "../data/client-data.ts";
import type { Clients } from "../fleet-model/clients.ts";
import { createLottery } from "../fleet-model/lottery.ts";
import type { SimulationClock } from "./clock.ts";

export interface RecruiterOptions {
  readonly config: Pick<RoundConfig, "roundId">;
  readonly clock: SimulationClock;
  readonly clients: Clients;
  readonly data: ClientData;
  /** Devices that are to come still. */
  readonly wanted: () => number;
  /** Whether a client that is reachable would check in. */
  readonly willing: (client: number) => boolean;
  /** It is asked to come. */
  readonly come: (client: number) => Promise<void>;
}

/** When all that were asked are away, how long until others are. */
const ASK_AGAIN_MS = 60_000;
/** Devices that are looked at before the simulation waits for the next minute: who checks in in one. */
const MAX_LOOKS = 50_000;

/** Fills the free places of a round from the population, at random, each client at most once a round. */
export class Recruiter {
  readonly #options: RecruiterOptions;
  /** Clients that were asked to come. */
  readonly #asked = new Set<number>();
  #lottery: () => number | undefined;
  #lotteries = 0;
  #waiting = false;

  constructor(options: RecruiterOptions) {
    this.#options = options;
    this.#lottery = this.#nextLottery();
  }

  /** Where places are free, others are asked to come, once what is going on in this moment is done. */
  look(): void {
    const { wanted, clock } = this.#options;
    if (this.#waiting || wanted() <= 0) return;
    this.#waiting = true;
    clock.schedule(0, () => {
      this.#waiting = false;
      return this.recruit();
    });
  }

  async recruit(): Promise<void> {
    const { clock, data, clients, wanted, willing, come } = this.#options;
    for (let looks = 0; wanted() > 0; looks++) {
      const client = looks < MAX_LOOKS ? this.#lottery() : undefined;
      if (client === undefined) {
        // Everyone was asked, or all of those who could have come in a minute: later others are there.
        if (looks < MAX_LOOKS) this.#lottery = this.#nextLottery();
        this.#waiting = true;
        clock.schedule(ASK_AGAIN_MS, () => {
          this.#waiting = false;
          return this.recruit();
        });
        return;
      }
      if (this.#asked.has(client) || data.countOf(client) === 0) continue;
      if (!clients.reachability(client, clock.now()).online) continue;
      this.#asked.add(client);
      if (!willing(client)) continue;
      await come(client);
    }
  }

  #nextLottery(): () => number | undefined {
    const { clients, data, config } = this.#options;
    const random = clients.randomOf(0, `lottery ${config.roundId} ${++this.#lotteries}`);
    return createLottery(data.clients, random);
  }
}
