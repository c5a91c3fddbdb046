// The JSON of /v1/events, as view.go and model.go have it. Times are RFC 3339.

export type HostState = "up" | "failing" | "missing" | "stopped" | "unknown" | "covered";
export type StoreState = "up" | "suspect" | "down" | "stopped" | "direct" | "relay-dead" | "degraded" | "unknown";
export type Level = "well" | "warn" | "bad";

export interface Note {
  text: string;
  since?: string;
}

export interface Summary {
  region: string;
  level: Level;
  headline: string;
  notes: Note[];
  stores: { total: number };
  openIncidents: number;
}

export interface Health {
  ok: boolean;
  since?: string;
  detail?: string;
}

export interface Region {
  region: string;
  self: boolean;
  state: "ready" | "settling" | "unreachable" | "unknown";
  since?: string;
  detail?: string;
  node?: string;
  version?: string;
  sessions?: number;
  table?: Health;
  link?: Health;
  channels?: (Health & { name: string })[];
  url?: string;
}

export interface Incident {
  id: string;
  kind: string;
  store: string;
  host?: string;
  since: string;
  sinceUncertaintyMs?: number;
  openedAt: string;
  seenFrom?: string[];
  oneSided?: boolean;
  reason?: string;
  message?: string;
  teller?: string;
  told?: string[];
  suppressed?: boolean;
  region?: string;
  lost?: string[];
  fleetWide?: boolean;
  waits?: string;
  home?: string;
  held?: Held;
}

export interface Held {
  kind: string;
  why: string;
  until?: string;
}

export interface Rule {
  id: string;
  kind: string;
  stores?: string[];
  hosts?: string[];
  kinds?: string[];
  tags?: Record<string, string>;
  from: string;
  until?: string;
  by?: string;
  why?: string;
}

export interface Explanation {
  at: string;
  region: string;
  store: string;
  host?: string;
  state: string;
  since?: string;
  says: string[];
  evidence: { region: string; missing?: string; facts?: { name: string; value: string }[] }[];
  next: { at?: string; what: string }[];
  zone?: string;
}

export type Counts = Record<HostState, number>;

export interface Store {
  store: string;
  state: StoreState;
  since?: string;
  reason?: string;
  home?: string;
  relay?: string;
  relayVersion?: string;
  paths?: { region: string; view?: string; since?: string }[];
  hosts: Counts;
  journal?: number;
  journalLost?: number;
  closed?: boolean;
  opens?: string;
  maintenance?: string;
  zone?: string;
  pinned?: boolean;
  tags?: Record<string, string>;
  open: boolean;
  members?: Host[];
}

export interface Host {
  store: string;
  host: string;
  state: HostState;
  intervalMs: number;
  via?: string;
  since?: string;
  reason?: string;
  message?: string;
  version?: string;
  flapping?: boolean;
  declared?: boolean;
  unadopted?: boolean;
  neverSeen?: boolean;
}

export interface Notice {
  id: string;
  region: string;
  at: string;
  title: string;
  text?: string;
  severity?: string;
  items: { kind: string; change: string; store: string; host?: string }[];
  oneSided?: boolean;
  seenFrom?: string[];
  channels: { name: string; mark: "unsent" | "cancelled" | "sent"; sentAt?: string; detail?: string }[];
}

export interface Activity {
  at: string;
  kind: string;
  store?: string;
  host?: string;
  text: string;
}

export interface View {
  at: string;
  title?: string;
  version?: string;
  heartbeatMs: number;
  summary: Summary;
  regions: Region[];
  incidents: Incident[];
  stores: Store[];
  found: number;
  notices: Notice[];
  activity: Activity[];
  rules: Rule[];
  ruleCount: number;
}

export interface Times {
  at: string;
  regions?: Record<string, string>;
  stores?: Record<string, { report?: string; beats?: Record<string, string> }>;
}
