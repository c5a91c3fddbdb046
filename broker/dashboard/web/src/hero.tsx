// The top of the page: in words whether all is well, and whether to believe it.

import { full, wall } from "./clock";
import { look, Mark } from "./marks";
import { heard, key, link, signOut, view } from "./state";
import type { View } from "./types";
import { Ago } from "./when";

export function Lost() {
  if (link.value !== "lost" || !view.value) return null;
  return (
    <div class="banner" role="alert">
      <Mark state="warn" />
      <span>
        <strong>Connection lost, data from <time dateTime={new Date(heard.value).toISOString()} title={full(heard.value)}>{wall(heard.value)}</time>.</strong>{" "}
        <span class="nowrap">Trying again…</span>
      </span>
    </div>
  );
}

export function Top({ v }: { v: View }) {
  return (
    <header class="top">
      <a class="brand" href="/">
        <img src="/assets/icon.svg" width="22" height="22" alt="" />
        <span>hb-mesh</span>
        {v.title && <span class="muted">{v.title}</span>}
      </a>
      <span class="grow" />
      <span class={`pill ${link.value}`}>
        <span class="dot" aria-hidden="true" />
        {link.value === "live" ? "Live" : link.value === "lost" ? "Not connected" : "Connecting"}
        <span class="from"> from {v.summary.region}</span>
      </span>
      {key.value && <button class="btn quiet" onClick={signOut}>Sign out</button>}
    </header>
  );
}

export function Hero({ v }: { v: View }) {
  const s = v.summary;
  // What is no longer heard is not called well, whatever it was.
  const level = link.value === "lost" && s.level === "well" ? "stale" : s.level;
  // What the headline says is not said twice: only its time is left to tell.
  const said = s.notes.find((n) => s.headline.includes(n.text));
  const notes = s.notes.filter((n) => n !== said);
  return (
    <section class={`hero ${look(level).tone}`} aria-label="Summary">
      <Mark state={level} size={44} />
      <div class="grow">
        <div role="status">
          <p class="kicker">{look(level).word}</p>
          <h1>{s.headline}</h1>
        </div>
        {notes.length > 0 && (
          <ul class="notes">
            {notes.map((n) => (
              <li key={n.text}>
                {n.text}
                {n.since && <span class="muted nowrap"> for <Ago t={n.since} after="" /></span>}
              </li>
            ))}
          </ul>
        )}
        {(said?.since || s.openIncidents === 0) && (
          <p class="muted">
            {said?.since && <>For <Ago t={said.since} after="" />. </>}
            {s.openIncidents === 0 && "No open incidents."}
          </p>
        )}
      </div>
    </section>
  );
}
