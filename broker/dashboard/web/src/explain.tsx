// Why a store or host is in its state: a dialog over the page. The words come
// first, the evidence of the regions below them, then what comes next.

import { effect, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { look, Mark } from "./marks";
import { hbMesh } from "./panels";
import type { Explanation } from "./types";
import { Soon, Since } from "./when";

interface Asked {
  store: string;
  host?: string;
}

const asked = signal<Asked | null>(null);
const answer = signal<Explanation | string | null>(null);

// How often an open explanation is asked for again: it speaks of seconds.
const again = 5000;

effect(() => {
  const about = asked.value;
  answer.value = null;
  if (!about) return;
  let gone = false;
  const ask = async () => {
    const got = await fetchOne(about);
    if (!gone) answer.value = got;
  };
  void ask();
  const timer = window.setInterval(ask, again);
  return () => {
    gone = true;
    clearInterval(timer);
  };
});

async function fetchOne(about: Asked): Promise<Explanation | string> {
  const q = new URLSearchParams({ store: about.store });
  if (about.host) q.set("host", about.host);
  try {
    const res = await hbMesh.fetch("/v1/explain?" + q.toString());
    const body = await res.json();
    return res.ok ? (body as Explanation) : String(body.detail ?? body.title ?? res.status);
  } catch {
    return "This node does not answer. Trying again…";
  }
}

/** Why is a button that explains; it is as large as what it stands in. */
export function Why({ store, host, children, cover }: Asked & { children: preact.ComponentChildren; cover?: boolean }) {
  return (
    <button class={cover ? "why cover" : "why"} title="Why?" onClick={() => (asked.value = { store, host })}>
      {children}
    </button>
  );
}

export function Explain() {
  const box = useRef<HTMLDialogElement>(null);
  const about = asked.value;
  useEffect(() => {
    const d = box.current;
    if (about && d && !d.open) d.showModal();
  }, [about]);
  if (!about) return null;
  const close = () => (asked.value = null);
  const e = answer.value;
  return (
    <dialog
      ref={box}
      class="explain"
      aria-labelledby="explained"
      onClose={close}
      onClick={(ev) => ev.target === box.current && close()}
    >
      <div class="inner">
        <header>
          <h2 id="explained">Why is <span class="name">{about.host ? `${about.store}/${about.host}` : about.store}</span> so?</h2>
          <button class="btn quiet" onClick={close} autofocus>Close</button>
        </header>
        {e === null && <p class="muted" role="status">Asking both regions…</p>}
        {typeof e === "string" && <p class="warn" role="status">{e}</p>}
        {e !== null && typeof e !== "string" && <Answer e={e} />}
        <p class="muted small">The same in a shell: <code>hbctl explain {about.host ? `${about.store}/${about.host}` : about.store}</code></p>
      </div>
    </dialog>
  );
}

function Answer({ e }: { e: Explanation }) {
  const names = order(e);
  return (
    <>
      <p class="verdict">
        <Mark state={e.state} size={20} /> <strong class={look(e.state).tone}>{look(e.state).word}</strong>
        {e.since && <span class="muted"> since <Since t={e.since} /></span>}
      </p>
      {e.says.map((s) => <p key={s}>{s}</p>)}
      {e.next.length > 0 && (
        <ul class="next">
          {e.next.map((n, i) => <li key={i}><span class="muted">Next:</span> {n.what}{n.at && <> <Soon t={n.at} /></>}</li>)}
        </ul>
      )}
      {e.evidence.length > 0 && (
        <div class="scroll">
          <table>
            <thead>
              <tr><th scope="col">Evidence</th>{e.evidence.map((r) => <th key={r.region} scope="col">{r.region}</th>)}</tr>
            </thead>
            <tbody>
              {names.map((name) => (
                <tr key={name}>
                  <th scope="row">{name}</th>
                  {e.evidence.map((r) => <td key={r.region}>{r.facts?.find((f) => f.name === name)?.value ?? "–"}</td>)}
                </tr>
              ))}
              {e.evidence.some((r) => r.missing) && (
                <tr>
                  <th scope="row">no answer</th>
                  {e.evidence.map((r) => <td key={r.region} class="warn">{r.missing ?? ""}</td>)}
                </tr>
              )}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

// order is that of the facts, those that only the second region has in between.
function order(e: Explanation): string[] {
  const names: string[] = [];
  for (const r of e.evidence) {
    (r.facts ?? []).forEach((f, i, all) => {
      if (names.includes(f.name)) return;
      const before = i > 0 ? names.indexOf(all[i - 1].name) : -1;
      names.splice(before >= 0 ? before + 1 : names.length, 0, f.name);
    });
  }
  return names;
}
