// Both regions' health: the own one first-hand, the other as known from here.

import { State } from "./marks";
import { times } from "./state";
import type { Health, Region } from "./types";
import { Ago } from "./when";

export function Regions({ regions }: { regions: Region[] }) {
  return (
    <section class="regions" aria-label="Regions">
      {regions.map((r) => <Tile key={r.region} r={r} />)}
    </section>
  );
}

function Tile({ r }: { r: Region }) {
  const heard = times.value?.regions?.[r.region];
  return (
    <article class="card region">
      <h2>
        {r.url && !r.self ? <a href={r.url}>{r.region}</a> : r.region}
        <span class="muted">{r.self ? "this page's region" : "as known from here"}</span>
      </h2>
      <p class="big"><State state={r.state} /> <span class="muted"><Ago t={r.since} after="" /></span></p>
      {r.detail && <p class="muted">{r.detail}</p>}
      <dl>
        <Fact name="Relays" ok>{r.sessions === undefined ? "not known" : `${r.sessions} connected`}</Fact>
        <HealthFact name="Table" h={r.table} good="ok" bad="failing" />
        {!r.self && <HealthFact name="Link" h={r.link} good="ok" bad="cut" age={heard} />}
        {r.channels?.map((c) => <HealthFact key={c.name} name={`Channel ${c.name}`} h={c} good="ok" bad="failing" />)}
      </dl>
    </article>
  );
}

function HealthFact({ name, h, good, bad, age }: { name: string; h?: Health; good: string; bad: string; age?: string }) {
  if (!h) return <Fact name={name} ok>not known</Fact>;
  return (
    <Fact name={name} ok={h.ok}>
      <State state={h.ok ? "up" : "down"} word={h.ok ? good : bad} />
      {!h.ok && h.since && <span class="muted"> for <Ago t={h.since} after="" /></span>}
      {age && <span class="muted"> answered <Ago t={age} /></span>}
      {h.detail && <span class="muted detail">{h.detail}</span>}
    </Fact>
  );
}

function Fact({ name, ok, children }: { name: string; ok: boolean; children: preact.ComponentChildren }) {
  return (
    <div class={ok ? "fact" : "fact bad"}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
