// What was told, and what happened and woke nobody.

import { look, Mark, State } from "./marks";
import type { Activity as Line, Notice } from "./types";
import { Ago, At } from "./when";

export function Notices({ notices }: { notices: Notice[] }) {
  return (
    <section class="card" aria-labelledby="notices">
      <h2 id="notices">Last notices</h2>
      {notices.length === 0 && <p class="muted">Nobody was told anything yet.</p>}
      <ul class="list feed">
        {notices.map((n) => (
          <li key={n.id}>
            <details>
              <summary>
                <Mark state={toneOf(n)} />
                <span class="title">{n.title}</span>
                <span class="muted nowrap"><At t={n.at} /></span>
              </summary>
              <p class="text">{n.text || "No further text."}</p>
              <p class="muted">By {n.region}, <Ago t={n.at} />{n.oneSided ? `; seen from ${(n.seenFrom ?? []).join(", ")} only` : ""}.</p>
            </details>
            <p class="marks">
              {n.channels.map((c) => (
                <span key={c.name} title={c.detail}><State state={c.mark} word={`${c.name} ${look(c.mark).word}`} /></span>
              ))}
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

// A notice's mark: a recovery is good news whatever it is about.
function toneOf(n: Notice): string {
  if (n.items.length > 0 && n.items.every((i) => i.change === "recovered")) return "up";
  return n.items.some((i) => i.kind === "store-down" || i.kind === "relay-dead") ? "down" :
    n.items.every((i) => i.kind === "host-failing") ? "failing" : "missing";
}

export function Activity({ lines }: { lines: Line[] }) {
  return (
    <section class="card activity" aria-labelledby="activity">
      <h2 id="activity">Activity</h2>
      {lines.length === 0 && <p class="muted">Nothing yet.</p>}
      <ul class="list lines">
        {lines.map((a, i) => (
          <li key={`${a.at}${a.kind}${a.store}${a.host}${i}`}>
            <span class="muted"><At t={a.at} /></span> <span>{a.text}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
