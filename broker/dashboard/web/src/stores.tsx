// Stores, those with problems first, and the hosts of the open ones.

import { useRef } from "preact/hooks";
import { Why } from "./explain";
import { look, Mark, State } from "./marks";
import { search, times, toggle, opened, view } from "./state";
import type { Counts, Host, HostState, Store, View } from "./types";
import { Ago, Moment } from "./when";

const order: HostState[] = ["missing", "failing", "unknown", "covered", "stopped", "up"];
export const few = 3; // the server opens all stores of a fleet as small as this

export function Stores({ v }: { v: View }) {
  const total = v.summary.stores.total;
  const shown = v.stores.length;
  return (
    <section aria-labelledby="stores" class="stores">
      <div class="bar">
        <h2 id="stores">Stores <span class="count">{total}</span></h2>
        {(total > few || search.value !== "") && <Search />}
      </div>
      {v.stores.map((s) => <Card key={s.store} s={s} fixed={v.found <= few} />)}
      {v.found === 0 && (
        <p class="card muted">
          {search.value ? `No store answers “${search.value}”.` : "No store yet. Point a relay or a register here, and it appears by itself."}
        </p>
      )}
      {v.found > shown && <p class="muted more">{shown} of {v.found} stores, those with problems first. Search finds the others.</p>}
    </section>
  );
}

function Search() {
  const timer = useRef(0);
  return (
    <input
      type="search"
      id="search"
      aria-label="Search stores by id, state, relay or region"
      placeholder="Search stores, e.g. down"
      autoComplete="off"
      spellcheck={false}
      defaultValue={search.peek()}
      onInput={(e) => {
        const text = e.currentTarget.value;
        clearTimeout(timer.current);
        timer.current = window.setTimeout(() => (search.value = text.trim()), 250);
      }}
    />
  );
}

function Card({ s, fixed }: { s: Store; fixed: boolean }) {
  const t = times.value?.stores?.[s.store];
  const cut = lostPath(s);
  const [state, since] = cut ? ["degraded", cut.since] : [s.state, s.since];
  const head = (
    <>
      <Mark state={worst(s)} size={20} />
      <span class="name">{s.store}</span>
      <span class={`word ${look(state).tone}`}>{look(state).word}{since && <span class="muted"> for <Ago t={since} after="" /></span>}</span>
      {s.maintenance ? <span class="tag maintenance">In maintenance</span> : s.closed && <span class="tag closed">Closed</span>}
      <Sum hosts={s.hosts} rest={rests(s)} />
    </>
  );
  return (
    <article class={`card store ${look(worst(s)).tone}`} aria-label={`Store ${s.store}`}>
      <h3>
        {fixed ? <span class="head">{head}</span> : (
          <button class="head" aria-expanded={s.open} onClick={() => toggle(s.store)}>
            {head}
            <span class={opened.value.includes(s.store) ? "chevron open" : "chevron"} aria-hidden="true" />
          </button>
        )}
      </h3>
      {s.open && (
        <>
          <p class="facts muted">
            {s.relay && <span>Relay {s.relay}{s.relayVersion && ` ${s.relayVersion}`}</span>}
            {t?.report && <span>reported here <Ago t={t.report} /></span>}
            {s.paths?.map((p) => <span key={p.region}><State state={paths[p.view ?? ""] ?? "unknown"} word={`${p.region} ${p.view || "not asked"}`} /></span>)}
            {s.home && <span>{s.pinned ? "pinned to" : "home"} {s.home}</span>}
            {s.closed && s.opens && <span>opens <Moment t={s.opens} in={s.zone} /></span>}
            {s.maintenance && <span>in maintenance until <Moment t={s.maintenance} in={s.zone} /></span>}
            {Object.entries(s.tags ?? {}).map(([name, value]) => <span key={name}>{name} {value}</span>)}
            {s.reason && s.state !== "up" && <span>{s.reason}</span>}
            {!!s.journal && <span>{entries(s.journal)} to come</span>}
            {!!s.journalLost && <span class="bad">{entries(s.journalLost)} lost</span>}
            <Why store={s.store}>Why?</Why>
          </p>
          <ul class="hosts" aria-label={`Hosts of ${s.store}`}>
            {s.members?.map((h) => <Tile key={h.host} h={h} report={t?.report} beat={t?.beats?.[h.host]} life={lastLife(h)} rest={rests(s)} />)}
          </ul>
        </>
      )}
    </article>
  );
}

const paths: Record<string, string> = { open: "up", lost: "missing", stopped: "stopped", settling: "settling", never: "unknown" };

// lostPath is the region that an up store does not reach. The server counts
// such a store among those that reach one region only.
function lostPath(s: Store) {
  return s.state === "up" ? s.paths?.find((p) => p.view === "lost") : undefined;
}

// rests says that the store may be off now: what is missing wakes nobody.
const rests = (s: Store) => !!s.closed || !!s.maintenance;

// worst is the state that a store's mark shows: its own, or its hosts'.
function worst(s: Store): string {
  if (rests(s)) return "stopped";
  if (!["up", "direct", "degraded"].includes(s.state)) return s.state;
  return s.hosts.missing ? "missing" : s.hosts.failing ? "failing" : lostPath(s) ? "degraded" : s.state;
}

const entries = (n: number) => (n === 1 ? "1 journal entry" : `${n} journal entries`);

// lastLife is a missing host's last sign of life as its open incident has it:
// this region's last whole picture is older, and stale where its path is cut.
function lastLife(h: Host): string | undefined {
  if (h.state !== "missing") return undefined;
  return view.value?.incidents.find((i) => i.store === h.store && i.host === h.host && i.kind === "host-missing")?.since;
}

function Sum({ hosts, rest }: { hosts: Counts; rest: boolean }) {
  const parts = order.filter((k) => hosts[k] > 0);
  return (
    <span class="sum">
      {parts.length === 0 ? "no hosts" : parts.map((k) => (
        <span key={k} class={rest && k !== "up" ? "rest" : look(k).tone}>{hosts[k]} {look(k).word.toLowerCase()}</span>
      ))}
    </span>
  );
}

function Tile({ h, report, beat, life, rest }: { h: Host; report?: string; beat?: string; life?: string; rest: boolean }) {
  const seen = life ?? beat;
  const tone = rest && h.state !== "up" ? "rest" : look(h.state).tone;
  return (
    <li class={`host ${tone}`} data-host={h.host} data-state={h.state}>
      <p class="who"><Mark state={h.state} tone={tone} /><Why store={h.store} host={h.host} cover><span class="name">{h.host}</span></Why></p>
      <p class="is">
        <span class={tone}>{look(h.state).word}</span> <Sure h={h} report={report} beat={beat} />
      </p>
      {h.message && <p class="says">“{h.message}”</p>}
      {h.flapping && <p class="warn">flapping</p>}
      {h.unadopted && <p class="warn small">new: pages nobody until it is adopted</p>}
      {h.neverSeen && <p class="muted small">declared, never seen</p>}
      <p class="muted meta">
        {h.since && <span>for <Ago t={h.since} after="" /></span>}
        {seen && !alive(h) && <span>{life ? "last sign of life" : "last beat"} <Ago t={seen} /></span>}
        {h.via && <span>via {h.via}</span>}
        {h.version && <span>{h.version}</span>}
      </p>
    </li>
  );
}

const alive = (h: Host) => h.state === "up" || h.state === "failing";

// Sure is how fresh the state is. Behind a relay a host is confirmed by the
// relay's last report, since a report says that the picture still stands; its
// last beat is only as new as the last whole picture.
function Sure({ h, report, beat }: { h: Host; report?: string; beat?: string }) {
  if (!alive(h)) return null;
  const best = h.via === "relay" ? later(report, beat) : beat;
  if (!best) return null;
  return <span class="muted small">(confirmed <Ago t={best} />)</span>;
}

function later(a?: string, b?: string): string | undefined {
  if (!a || !b) return a ?? b;
  return Date.parse(a) > Date.parse(b) ? a : b;
}
