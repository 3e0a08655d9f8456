/**
 * Decimals of π, without the 3, by Machin's formula π = 16 arctan(1/5) − 4 arctan(1/239) in fixed-point integers
 * (https://en.wikipedia.org/wiki/Machin-like_formula).
 */
export function decimalsOfPi(count: number): string {
  const guard = 10; // decimals that rounding may spoil
  const unit = 10n ** BigInt(count + guard);
  const pi = 16n * arctanOfInverse(5n, unit) - 4n * arctanOfInverse(239n, unit);
  return String(pi).slice(1, count + 1);
}

/** arctan(1/x) × unit, by its series. */
function arctanOfInverse(x: bigint, unit: bigint): bigint {
  const square = x * x;
  let power = unit / x;
  let sum = power;
  let sign = -1n;
  for (let odd = 3n; power > 0n; odd += 2n) {
    power /= square;
    sum += (sign * power) / odd;
    sign = -sign;
  }
  return sum;
}
