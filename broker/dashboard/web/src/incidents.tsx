// Open incidents: what, where, since when, who tells, and what it waits for.

import { Why } from "./explain";
import { Mark } from "./marks";
import { Holding } from "./rules";
import type { Incident } from "./types";
import { Since } from "./when";

const kinds: Record<string, { word: string; state: string }> = {
  "host-missing": { word: "Host missing", state: "missing" },
  "host-failing": { word: "Host failing", state: "failing" },
  "store-down": { word: "Store down", state: "down" },
  "relay-dead": { word: "Relay dead, store alive", state: "relay-dead" },
  "store-lan": { word: "Store LAN", state: "down" },
  "did-not-come-up": { word: "Did not come up", state: "missing" },
  "never-seen": { word: "Never seen", state: "missing" },
  flapping: { word: "Flapping", state: "failing" },
  conflict: { word: "Two with one identity", state: "failing" },
  "region-down": { word: "Region down", state: "down" },
  "region-path": { word: "Region out of reach of stores", state: "degraded" },
  "region-blind": { word: "Region sees too little to judge", state: "unknown" },
};

export function Incidents({ incidents, total }: { incidents: Incident[]; total: number }) {
  if (total === 0) return null;
  return (
    <section class="card" aria-labelledby="incidents">
      <h2 id="incidents">Open incidents <span class="count">{total}</span></h2>
      <ul class="list incidents">
        {incidents.map((i) => <Row key={i.id} i={i} />)}
      </ul>
      {total > incidents.length && <p class="muted">The newest {incidents.length} of {total}.</p>}
    </section>
  );
}

function Row({ i }: { i: Incident }) {
  const kind = kinds[i.kind] ?? { word: i.kind, state: "unknown" };
  return (
    <li class="incident">
      <Mark state={kind.state} size={20} tone={i.held ? "rest" : undefined} />
      <div>
        <p class="what">
          <strong>{kind.word}</strong>{" "}
          {i.store && <Why store={i.store} host={i.host}><span class="name">{i.host ? `${i.store}/${i.host}` : i.store}</span></Why>}
          {i.region && <span class="name">{i.region}</span>}
        </p>
        <p>Since <Since t={i.since} pm={i.sinceUncertaintyMs} /></p>
        {i.message && <p>It says: “{i.message}”</p>}
        {i.reason && <p class="muted">Because {i.reason}{i.oneSided ? `; seen from ${(i.seenFrom ?? []).join(", ")} only` : ""}.</p>}
        {i.fleetWide && <p>Most of the fleet is lost: look at the mesh itself first: certificates, DNS, the last deployment.</p>}
        {!!i.lost?.length && <p class="muted">{i.lost.length === 1 ? "1 store" : `${i.lost.length} stores`}: {i.lost.slice(0, 5).join(", ")}{i.lost.length > 5 && ", …"}</p>}
        {i.held && <Holding held={i.held} />}
        <p class="muted">{telling(i)}</p>
      </div>
    </li>
  );
}

function telling(i: Incident): string {
  const told = i.told ?? [];
  const teller = i.teller || i.home || "Its home region";
  const waits = i.waits && !i.held ? ` Not told yet: ${i.waits}.` : "";
  if (i.suppressed) return `Programs were told on ${told.join(", ")}; people were not.` + waits;
  return (told.length > 0 ? `Told by ${teller} on ${told.join(", ")}.` : `${teller} tells it.`) + waits;
}
