// Instants: with the zone where they matter, and relative where people think
// in "how long". Only these nodes render again as time goes by.

import { full, here, now, span, wall, zone } from "./clock";

/** Ago is how long ago t was: "4 min". */
export function Ago({ t, after = " ago" }: { t?: string; after?: string }) {
  if (!t) return null;
  const at = Date.parse(t);
  return (
    <time dateTime={t} title={full(at)}>
      {span(now.value - at)}
      {after}
    </time>
  );
}

/** At is a time of day, in the viewer's zone. */
export function At({ t }: { t?: string }) {
  if (!t) return null;
  const at = Date.parse(t);
  return (
    <time dateTime={t} title={full(at)} class="num">
      {wall(at)}
    </time>
  );
}

/** Since is both, with the zone: "03:12:07 CET, 4 min ago". */
export function Since({ t, pm }: { t?: string; pm?: number }) {
  if (!t) return null;
  const at = Date.parse(t);
  return (
    <time dateTime={t} title={full(at)} class="num">
      {wall(at)} {zone(at)}
      {pm && pm >= 1000 ? ` (within ${span(pm)})` : ""}, {span(now.value - at)} ago
    </time>
  );
}

/** Moment is an instant to come, with its date where that is another, in the
    viewer's zone or in that of a store. */
export function Moment({ t, in: where }: { t?: string; in?: string }) {
  if (!t) return null;
  const at = Date.parse(t);
  return <time dateTime={t} title={full(at)} class="num">{here(at, where)}</time>;
}

/** Soon is an instant to come and how long that is: "at 03:12:40 CET (in 40 s)". */
export function Soon({ t }: { t: string }) {
  const at = Date.parse(t);
  const left = at - now.value;
  return (
    <time dateTime={t} title={full(at)} class="num">
      at {wall(at)} {zone(at)}{left > 0 && ` (in ${span(left)})`}
    </time>
  );
}
