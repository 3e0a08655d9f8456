/** Instants for people: in this machine's zone, which is named. */

const two = (part: number): string => String(part).padStart(2, "0");

/** `2026-11-22 02:00:00` */
export function localTime(instant: Date): string {
  const date = [instant.getFullYear(), two(instant.getMonth() + 1), two(instant.getDate())].join("-");
  return `${date} ${clockTime(instant)}`;
}

/** `02:00:00` */
export function clockTime(instant: Date): string {
  return [instant.getHours(), instant.getMinutes(), instant.getSeconds()].map(two).join(":");
}

/** The time alone where it is of the same day as what stands before it; else the date as well. */
export function timeAfter(before: Date, instant: Date): string {
  return before.toDateString() === instant.toDateString() ? clockTime(instant) : localTime(instant);
}

/** Such as `Europe/Paris`; by how far it is from UTC where what `TZ` says is no name of a zone (`UTC+3`, a slip, nothing). */
export function localZone(): string {
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone as string | undefined;
  if (name !== undefined && name !== "Etc/Unknown") return name;
  const behind = new Date().getTimezoneOffset();
  if (behind === 0) return "UTC";
  const minutes = Math.abs(behind);
  return `UTC${behind > 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

const UNITS = [
  { name: "d", length: 86_400_000 },
  { name: "h", length: 3_600_000 },
  { name: "min", length: 60_000 },
  { name: "s", length: 1_000 },
];

/** How long that is, roughly: `12 ms`, `1.3 s`, `5 h`, `3 d`. */
export function lengthOf(lengthMs: number): string {
  if (lengthMs < 1_000) return `${Math.max(0, Math.round(lengthMs))} ms`;
  if (lengthMs < 10_000) return `${Number((lengthMs / 1_000).toFixed(1))} s`;
  const unit = UNITS.find(({ length }) => lengthMs >= length) ?? UNITS[3];
  return unit === undefined ? "" : `${Math.round(lengthMs / unit.length)} ${unit.name}`;
}
