// A state is shown by shape, colour and word together: colour alone says
// nothing to one man in twelve, and nothing on a greyscale print.

import type { ComponentChildren } from "preact";

/** Tone is how a state feels: it picks the colour. */
export type Tone = "good" | "bad" | "warn" | "rest" | "cover";

type Shape = "check" | "cross" | "alert" | "pause" | "ask" | "cover" | "half" | "fork";

const states: Record<string, { word: string; tone: Tone; shape: Shape }> = {
  up: { word: "Up", tone: "good", shape: "check" },
  direct: { word: "Up, direct", tone: "good", shape: "check" },
  failing: { word: "Failing", tone: "warn", shape: "alert" },
  missing: { word: "Missing", tone: "bad", shape: "cross" },
  down: { word: "Down", tone: "bad", shape: "cross" },
  "relay-dead": { word: "Relay dead", tone: "bad", shape: "cross" },
  suspect: { word: "Being checked", tone: "warn", shape: "half" },
  degraded: { word: "One path only", tone: "warn", shape: "fork" },
  stopped: { word: "Stopped", tone: "rest", shape: "pause" },
  unknown: { word: "Unknown", tone: "rest", shape: "ask" },
  covered: { word: "Covered", tone: "cover", shape: "cover" },
  // Regions and deliveries.
  ready: { word: "Ready", tone: "good", shape: "check" },
  settling: { word: "Settling", tone: "warn", shape: "half" },
  unreachable: { word: "No answer", tone: "bad", shape: "cross" },
  sent: { word: "sent", tone: "good", shape: "check" },
  unsent: { word: "waits", tone: "warn", shape: "half" },
  cancelled: { word: "not needed", tone: "rest", shape: "pause" },
  // Levels.
  well: { word: "All is well", tone: "good", shape: "check" },
  warn: { word: "Running, with less certainty", tone: "warn", shape: "alert" },
  stale: { word: "Last known", tone: "rest", shape: "ask" },
  bad: { word: "Needs a person", tone: "bad", shape: "cross" },
};

export function look(state: string) {
  return states[state] ?? { word: state, tone: "rest" as Tone, shape: "ask" as Shape };
}

const paths: Record<Shape, ComponentChildren> = {
  check: <><circle cx="8" cy="8" r="7.5" class="ink" /><path d="M4.6 8.3l2.3 2.3 4.5-4.9" class="cut" /></>,
  cross: <><path d="M5 .7h6L15.3 5v6L11 15.3H5L.7 11V5z" class="ink" /><path d="M5.4 5.4l5.2 5.2m0-5.2l-5.2 5.2" class="cut" /></>,
  alert: <><path d="M8 .9l7.4 13.4H.6z" class="ink" /><path d="M8 5.6v4.2m0 2v.2" class="cut" /></>,
  pause: <><circle cx="8" cy="8" r="6.8" class="line" /><path d="M6.2 5.4v5.2m3.6-5.2v5.2" class="line" /></>,
  ask: <><circle cx="8" cy="8" r="6.8" class="line dash" /><path d="M6 6.4a2 2 0 1 1 2.9 1.8c-.6.3-.9.7-.9 1.3m0 1.9v.1" class="line" /></>,
  cover: <><rect x="1.2" y="1.2" width="13.6" height="13.6" rx="3" class="line" /><path d="M3.4 12.6l9.2-9.2M3 7.6L7.6 3m.9 10L13 8.5" class="line" /></>,
  half: <><circle cx="8" cy="8" r="6.8" class="line" /><path d="M8 1.2a6.8 6.8 0 0 1 0 13.6z" class="ink" /></>,
  fork: <><circle cx="8" cy="8" r="6.8" class="line" /><path d="M8 12V8.4L5 5m3 3.4L11 5" class="line" /></>,
};

/** Mark is the shape alone; the word must stand beside it. */
export function Mark({ state, size = 16, tone = look(state).tone }: { state: string; size?: number; tone?: Tone }) {
  const { shape } = look(state);
  return (
    <svg class={`mark ${tone}`} width={size} height={size} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      {paths[shape]}
    </svg>
  );
}

/** State is mark and word. */
export function State({ state, word }: { state: string; word?: string }) {
  const l = look(state);
  return (
    <span class={`state ${l.tone}`}>
      <Mark state={state} />
      <span>{word ?? l.word}</span>
    </span>
  );
}
