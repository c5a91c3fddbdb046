// Both regions' health: the own one first-hand, the other as known from here.

import type { ComponentChildren } from "preact";
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
        <Fact name="Relays">{r.sessions === undefined ? "not known" : `${r.sessions} connected`}</Fact>
        <Fact name="Table"><Works h={r.table} good="ok" bad="failing" /></Fact>
        {!r.self && <Fact name="Link"><Works h={r.link} good="ok" bad="cut" />{heard && <span class="muted">last answer <Ago t={heard} /></span>}</Fact>}
        {r.channels && r.channels.length > 0 && (
          <Fact name="Channels">{r.channels.map((c) => <Works key={c.name} h={c} good={c.name} bad={`${c.name} failing`} />)}</Fact>
        )}
      </dl>
    </article>
  );
}

function Works({ h, good, bad }: { h?: Health; good: string; bad: string }) {
  if (!h) return <span class="muted">not known</span>;
  if (h.ok) return <State state="up" word={good} />;
  return (
    <>
      <State state="down" word={bad} />
      {h.since && <span class="muted">for <Ago t={h.since} after="" /></span>}
      {h.detail && <span class="muted detail">{h.detail}</span>}
    </>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
