// The page. It is drawn from one View (state.ts); the server decides what is
// in it and in which order.

import { effect } from "@preact/signals";
import { render } from "preact";
import { Explain } from "./explain";
import { Activity, Notices } from "./feed";
import { Hero, Lost, Top } from "./hero";
import { Incidents } from "./incidents";
import { Login } from "./login";
import { attach, hbMesh, mounted } from "./panels";
import { Regions } from "./regions";
import { Rules } from "./rules";
import { denied, link, start, view } from "./state";
import { few, Stores } from "./stores";

function Page() {
  if (denied.value) return <Login why={denied.value} />;
  const v = view.value;
  if (!v) return <p class="boot" role="status">{link.value === "lost" ? "The node does not answer. Trying again…" : "Connecting…"}</p>;
  // Beside panels the activity stands below a small fleet, where there is room;
  // below a large one nobody would find it.
  const below = mounted.value && v.summary.stores.total <= few;
  return (
    <>
      <Lost />
      <Explain />
      <div class={link.value === "lost" ? "page stale" : "page"}>
        <Top v={v} />
        <main>
          <Hero v={v} />
          <Rules rules={v.rules} total={v.ruleCount} />
          <div class="columns">
            <div class="side">
              <Incidents incidents={v.incidents} total={v.summary.openIncidents} />
              <Regions regions={v.regions} />
              <Stores v={v} />
              {below && <Activity lines={v.activity} />}
            </div>
            <div class={mounted.value ? "side brief" : "side"}>
              <Notices notices={v.notices} />
              {!below && <Activity lines={v.activity} />}
              <div class="panels" ref={attach} />
            </div>
          </div>
        </main>
        <footer class="muted">hb-mesh {v.version} · the same facts as JSON: <code>/v1/summary</code>, <code>/v1/stores</code>, <code>/v1/hosts</code></footer>
      </div>
    </>
  );
}

window.hbMesh = hbMesh;
start();
effect(() => {
  const lost = link.value === "lost" && view.value ? "(not connected) " : "";
  document.title = view.value ? `${lost}${view.value.summary.headline} · hb-mesh` : "hb-mesh";
});
document.addEventListener("keydown", (e) => {
  const box = document.getElementById("search");
  if (e.key === "/" && box && !(e.target instanceof HTMLInputElement)) {
    e.preventDefault();
    box.focus();
  }
});
const root = document.getElementById("app");
if (root) {
  root.replaceChildren();
  render(<Page />, root);
}
