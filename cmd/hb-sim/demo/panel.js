// The demo's switches on the dashboard: a list of plugs that a visitor may
// pull. It is loaded by the page after itself (see panels.ts) and exists in the
// demo only.

const box = window.hbMesh.panels.mount({ id: "demo", title: "Break things", order: 10 });

const intro = document.createElement("p");
intro.className = "muted";
intro.textContent = "Each switch is a plug of the demo. Off is as by kill -9, or as a cut cable.";

const list = document.createElement("div");
list.className = "rows";

const trouble = document.createElement("p");
trouble.className = "muted";
trouble.setAttribute("role", "status");

box.append(intro, list, trouble);

const rows = new Map();
let asked = 0;

/** row is the line of one switch; it is made once and kept. */
function row(target) {
  if (rows.has(target)) return rows.get(target);
  const line = document.createElement("div");
  line.className = "row";
  const label = document.createElement("span");
  const name = document.createElement("strong");
  name.textContent = target;
  const text = document.createElement("span");
  text.className = "muted";
  label.append(name, " ", text);
  const button = document.createElement("button");
  button.type = "button";
  button.className = "switch";
  button.setAttribute("role", "switch");
  button.setAttribute("aria-label", target);
  button.addEventListener("click", () => turn(target));
  line.append(label, button);
  list.append(line);
  const made = { button, text };
  rows.set(target, made);
  return made;
}

function show(state) {
  const { button, text } = row(state.target);
  if (button.disabled) return;
  button.setAttribute("aria-checked", String(state.plugged));
  text.textContent = state.plugged ? "" : state.text;
}

async function turn(target) {
  const { button } = row(target);
  const plugged = button.getAttribute("aria-checked") === "true";
  button.disabled = true;
  trouble.textContent = "";
  try {
    const res = await window.hbMesh.fetch(`/demo/v1/${plugged ? "unplug" : "plug"}/${target}`, { method: "POST" });
    const body = await res.json();
    button.disabled = false;
    if (res.ok) show(body);
    else trouble.textContent = body.detail ?? body.title;
  } catch {
    // The region that serves this page was unplugged: its answer died with it.
    trouble.textContent = `No answer: if you unplugged this page's own region, plug it in with "hbctl demo plug ${target}" or on the other region's page.`;
  } finally {
    button.disabled = false;
    refresh();
  }
}

async function refresh() {
  asked = Date.now();
  try {
    const res = await window.hbMesh.fetch("/demo/v1/switches");
    if (!res.ok) return;
    for (const state of (await res.json()).items) show(state);
  } catch {
    // The page itself says that its region does not answer.
  }
}

// Someone else may turn a switch too: look again as the page moves.
window.hbMesh.onView(() => {
  if (Date.now() - asked > 1500) refresh();
});
refresh();
