// Extra panels: a module that the server names in Options.Scripts runs after
// the page and may add panels of its own. What it may use is window.hbMesh:
//
//   const box = window.hbMesh.panels.mount({ id: "demo", title: "Break things", order: 10 });
//     An empty <div> in a titled section, beside the stores. It is the
//     caller's: the page never touches what is in it. The same id gives the
//     same element again. Panels stand in the order of `order` (default 0).
//   window.hbMesh.panels.unmount("demo");
//   const stop = window.hbMesh.onView((view) => { … });
//     Called with each View (types.ts) as it comes, and at once with the
//     current one. It is never called with null; stop() ends it.
//   const res = await window.hbMesh.fetch("/v1/demo/…", { method: "POST" });
//     fetch with the visitor's key (x-api-key) and the header X-Hb-Request,
//     which state-changing calls need. Paths of this server only.
//
// A panel calls only its own origin, and has no inline script or style: the
// Content-Security-Policy is default-src 'self'. These classes are there for
// it: "rows" (a list), "row" (a line: label left, control right), "muted",
// "btn", "btn danger", "switch" (a <button role="switch" aria-checked="true">,
// which draws itself on or off), "pill". Text from the network goes in by
// textContent, never by innerHTML.

import { effect, signal } from "@preact/signals";
import { key, view } from "./state";
import type { View } from "./types";

export interface PanelOptions {
  id: string;
  title: string;
  order?: number;
}

interface Panel extends PanelOptions {
  section: HTMLElement;
  box: HTMLElement;
}

const panels = new Map<string, Panel>();
let slot: HTMLElement | null = null;

/** mounted says whether there are panels: the notices make room for them. */
export const mounted = signal(false);

/** attach gives the panels their place in the page. */
export function attach(el: HTMLElement | null): void {
  slot = el;
  arrange();
}

function arrange(): void {
  const sorted = [...panels.values()].sort((a, b) => (a.order ?? 0) - (b.order ?? 0) || a.id.localeCompare(b.id));
  mounted.value = sorted.length > 0;
  slot?.replaceChildren(...sorted.map((p) => p.section));
}

function mount(o: PanelOptions): HTMLElement {
  const had = panels.get(o.id);
  if (had) return had.box;
  const section = document.createElement("section");
  section.className = "card panel";
  const title = document.createElement("h2");
  title.id = `panel-${o.id}`;
  title.textContent = o.title;
  section.setAttribute("aria-labelledby", title.id);
  const box = document.createElement("div");
  section.append(title, box);
  panels.set(o.id, { ...o, section, box });
  arrange();
  return box;
}

function unmount(id: string): void {
  panels.delete(id);
  arrange();
}

function onView(f: (v: View) => void): () => void {
  return effect(() => {
    if (view.value) f(view.value);
  });
}

function ownFetch(path: string, init: RequestInit = {}): Promise<Response> {
  const url = new URL(path, location.href);
  if (url.origin !== location.origin) return Promise.reject(new Error(`${path} is not on this server`));
  const headers = new Headers(init.headers);
  headers.set("X-Hb-Request", "1");
  if (key.peek()) headers.set("x-api-key", key.peek());
  return fetch(url, { ...init, headers });
}

export const hbMesh = { panels: { mount, unmount }, onView, fetch: ownFetch };

declare global {
  interface Window {
    hbMesh: typeof hbMesh;
  }
}
