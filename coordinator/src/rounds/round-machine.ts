import {
  initialRound,
  roundEnded,
  stepRound,
  type RoundConfig,
  type RoundEffect,
  type RoundInput,
  type RoundState,
} from "@tributary/federation";

/** Who carries out what the machine says. */
export interface RoundMachineEvents {
  /** An input changed the state: it is stored before anybody hears of what follows from it. */
  note(input: RoundInput): void;
  perform(effect: RoundEffect): void;
  /** The effects of an input are under way. */
  stepped(before: RoundState, after: RoundState): void;
}

/** The state of a round under way. Inputs are stepped as they come, or wait while what the round made is stored. */
export class RoundMachine {
  readonly #config: RoundConfig;
  readonly #events: RoundMachineEvents;
  #state: RoundState;
  #held: RoundInput[] | undefined;

  constructor(config: RoundConfig, events: RoundMachineEvents, state = initialRound(config)) {
    this.#config = config;
    this.#events = events;
    this.#state = state;
  }

  get state(): RoundState {
    return this.#state;
  }

  give(input: RoundInput): void {
    if (this.#held === undefined) this.#step(input);
    else this.#held.push(input);
  }

  /**
   * From now on inputs wait for `release`.
   *
   * @returns the state as it will be after this input
   */
  hold(input: RoundInput): RoundState {
    this.#held = [];
    return stepRound(this.#config, this.#state, input).state;
  }

  /** Lets the inputs that waited follow; first the one that they waited for, where it was stored. */
  release(stored?: RoundInput): void {
    if (stored !== undefined) this.#step(stored, false);
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const input of held) this.#step(input);
  }

  #step(input: RoundInput, journal = true): void {
    const before = this.#state;
    const { state, effects } = stepRound(this.#config, before, input);
    if (state === before && effects.length === 0) return;
    this.#state = state;
    // Answers that change nothing need no replay, and what comes after the end changes no round.
    if (journal && state !== before && !roundEnded(before)) this.#events.note(input);
    for (const effect of effects) this.#events.perform(effect);
    this.#events.stepped(before, state);
  }
}
