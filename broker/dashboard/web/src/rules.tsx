// What operators said that keeps people from being told: of everything above
// the page, of one incident beside it.

import type { Held, Rule } from "./types";
import { Moment } from "./when";

const words: Record<string, string> = {
  silence: "Silenced", pause: "Paused", maintenance: "In maintenance", ack: "Acknowledged", closed: "Closed",
};

export function Rules({ rules, total }: { rules: Rule[]; total: number }) {
  if (total === 0) return null;
  return (
    <section class="card rules" aria-label="Silences, pauses and maintenance in force">
      <ul class="list">
        {rules.map((r) => (
          <li key={r.id}>
            <span class={`tag ${r.kind}`}>{words[r.kind] ?? r.kind}</span>
            <span>
              <span class="name">{about(r)}</span> until <Moment t={r.until} />
              {r.by && <span class="muted"> by {r.by}</span>}
              {r.why && <span class="muted">: {r.why}</span>}
            </span>
          </li>
        ))}
      </ul>
      {total > rules.length && <p class="muted">The first {rules.length} of {total} to end.</p>}
    </section>
  );
}

// about is what setting.Match.Words says.
function about(r: Rule): string {
  const { stores = [], hosts = [], kinds = [], tags = {} } = r;
  const parts: string[] = [];
  if (stores.length === 1 && hosts.length === 1) parts.push(`${stores[0]}/${hosts[0]}`);
  else {
    if (stores.length) parts.push(few(stores));
    if (hosts.length) parts.push(`hosts ${few(hosts)}`);
  }
  if (kinds.length) parts.push(`kinds ${few(kinds)}`);
  for (const [key, value] of Object.entries(tags)) parts.push(`${key}=${value}`);
  return parts.join("; ") || "everything";
}

const few = (list: string[]) => (list.length > 6 ? `${list.slice(0, 6).join(", ")} and ${list.length - 6} more` : list.join(", "));

/** Holding is why people are not told of an incident. */
export function Holding({ held }: { held: Held }) {
  return (
    <p class="holding">
      <span class={`tag ${held.kind}`}>{words[held.kind] ?? held.kind}</span> <span class="muted">{rest(held)}</span>
    </p>
  );
}

// rest is the reason without the word that the tag says already.
function rest(held: Held): string {
  const word = (words[held.kind] ?? "").toLowerCase();
  return held.why.startsWith(word) ? held.why.slice(word.length).trim() : held.why;
}
