// What the page knows: signals, fed by one stream. Components read them and
// hold no state of the mesh of their own.

import { batch, effect, signal } from "@preact/signals";
import { now, sync, tick } from "./clock";
import { Stream } from "./stream";
import type { Times, View } from "./types";

export type Link = "connecting" | "live" | "lost";

export const view = signal<View | null>(null);
export const times = signal<Times | null>(null);
export const link = signal<Link>("connecting");
/** heard is when the server was heard last, on its own clock, in ms. */
export const heard = signal(0);
/** denied is why the server refuses; null: it does not. */
export const denied = signal<{ status: number; detail: string } | null>(null);
export const search = signal("");
export const opened = signal<string[]>([]);

// The key lives as long as the tab: sessionStorage is not shared with other
// tabs, and gone when this one closes.
const keyName = "hb-mesh.key";
export const key = signal(read());

function read(): string {
  try {
    return sessionStorage.getItem(keyName) ?? "";
  } catch {
    return ""; // storage is switched off: the key lives as long as the page
  }
}

export function signIn(secret: string): void {
  try {
    if (secret) sessionStorage.setItem(keyName, secret);
    else sessionStorage.removeItem(keyName);
  } catch {
    // as above
  }
  batch(() => {
    denied.value = null;
    key.value = secret;
  });
}

export function signOut(): void {
  view.value = null;
  times.value = null;
  signIn("");
}

export function toggle(store: string): void {
  const open = opened.value;
  opened.value = open.includes(store) ? open.filter((s) => s !== store) : [...open, store].slice(-maxOpen);
}

const maxOpen = 12; // as many as the server opens by default

let stream: Stream | null = null;

const listener = {
  event(name: string, data: string): void {
    if (name === "view") {
      const v = JSON.parse(data) as View;
      sync(v.at);
      view.value = v;
      if (stream) stream.limit = v.heartbeatMs * 2.5;
    } else if (name === "times") {
      const t = JSON.parse(data) as Times;
      sync(t.at);
      times.value = t;
    }
  },
  alive(): void {
    tick();
    heard.value = now.peek();
    link.value = "live";
  },
  lost(): void {
    link.value = "lost";
  },
  denied(status: number, detail: string): void {
    denied.value = { status, detail };
    view.value = null;
    times.value = null;
  },
};

/** start keeps one stream open for what is looked at. */
export function start(): void {
  readHash();
  window.setInterval(tick, 1000);
  effect(() => {
    const q = new URLSearchParams();
    if (search.value) q.set("q", search.value);
    if (opened.value.length) q.set("open", opened.value.join(","));
    writeHash(q.toString());
    const secret = key.value;
    if (denied.value) return;
    const limit = stream?.limit;
    stream?.close();
    stream = new Stream("/v1/events" + (q.size ? "?" + q.toString() : ""), secret, listener);
    if (limit) stream.limit = limit;
  });
}

function readHash(): void {
  const q = new URLSearchParams(location.hash.slice(1));
  search.value = q.get("q") ?? "";
  opened.value = (q.get("open") ?? "").split(",").filter(Boolean).slice(0, maxOpen);
}

// writeHash makes what is looked at a link that can be sent to a colleague.
function writeHash(q: string): void {
  if (location.hash.slice(1) !== q) history.replaceState(null, "", q ? "#" + q : location.pathname);
}
