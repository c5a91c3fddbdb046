// The page's clock is the server's: a phone's own clock may be wrong, and
// "4 min ago" must not be.

import { signal } from "@preact/signals";

let skew = 0; // server's clock minus ours, in ms

/** now is the server's time in ms; it ticks once a second. */
export const now = signal(Date.now());

/** sync takes the server's time as an event just brought it. */
export function sync(at: string): void {
  const t = Date.parse(at);
  if (!Number.isNaN(t)) {
    skew = t - Date.now();
    tick();
  }
}

export function tick(): void {
  now.value = Date.now() + skew;
}

/** span is a duration in words, coarse as people speak: "8 s", "4 min", "3 h 20 min", "2 d 4 h". */
export function span(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  const min = Math.floor(s / 60);
  if (min < 60) return min < 10 && s % 60 ? `${min} min ${s % 60} s` : `${min} min`;
  const h = Math.floor(min / 60);
  if (h < 24) return min % 60 ? `${h} h ${min % 60} min` : `${h} h`;
  return h % 24 ? `${Math.floor(h / 24)} d ${h % 24} h` : `${Math.floor(h / 24)} d`;
}

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const dayFormat = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const fullFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const zoneFormat = new Intl.DateTimeFormat(undefined, { timeZoneName: "short" });

/** zone is the viewer's time zone, in short. */
export function zone(t: number): string {
  return zoneFormat.formatToParts(t).find((p) => p.type === "timeZoneName")?.value ?? "";
}

/** wall is the time of day; with its date if it is not today's. */
export function wall(t: number): string {
  const clock = clockFormat.format(t);
  return dayFormat.format(t) === dayFormat.format(now.peek()) ? clock : `${dayFormat.format(t)}, ${clock}`;
}

export function full(t: number): string {
  return fullFormat.format(t);
}

/** here is an instant to the minute, with the zone, and the day if it is not today's. */
export function here(t: number, where?: string): string {
  const day: Intl.DateTimeFormatOptions = dayFormat.format(t) === dayFormat.format(now.peek()) ? {} : { weekday: "short", day: "numeric", month: "short" };
  const form = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short", timeZone: where, ...day });
  return form.format(t);
}
