import { simulateMillion } from "./simulated-rounds.ts";

// A process of its own, so that its memory is the simulation's alone.

console.log(await simulateMillion());
